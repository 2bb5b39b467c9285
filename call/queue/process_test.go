package queue_test

const roleVariable = "GENESIS_QUEUE_TEST_ROLE"

func playRole(role string) int { return 1 }
