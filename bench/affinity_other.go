//go:build !linux

package main

// processors returns those that a process can be pinned to: none, as only Linux does it for whole processes.
func processors() ([]int, error) { return nil, nil }

func pin(int, []int) error { return nil }
