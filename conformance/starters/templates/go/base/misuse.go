package main

// YOUR IMPLEMENTATION: a function for each kind that it can commit. The function makes the mistake, and the
// implementation panics with a text that names what is wrong.

// Misuses are mistakes of the programmer that the implementation refuses.
var Misuses = map[string]func(){}
