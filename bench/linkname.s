// Lets parse.go declare a function without a body.
