package main

import (
	"testee/contract"
	"testee/protocol"
)

// Misuses are mistakes of the programmer that the implementation refuses; the compiler rules the others out.
var Misuses = map[string]func(){
	"get-unmarshalable": func() {
		types := []contract.Value{contract.Value(`"unmarshalable"`)}
		protocol.NewClient(nil).Consumer("n", "s", types, nil)
	},
	"add-undefined-namespace": func() { add(registry(), "other") },
	"add-parent-namespace":    func() { add(registry(), "parent") },
	"add-duplicate-service": func() {
		made := registry()
		add(made, "n")
		add(made, "n")
	},
	"add-not-callable":              func() { registry().Add("n", "s", nil, nil, nil) },
	"define-duplicate-namespace":    func() { registry().Define("n", nil) },
	"define-unmarshalable-manifest": func() { registry().Define("other", make(chan int)) },
	"bind-nil":                      func() { protocol.NewBound(registry(), nil) },
}

// registry makes a registry with a namespace, and a parent with another.
func registry() *protocol.Registry {
	parent := protocol.NewRegistry(nil)
	parent.Define("parent", nil)
	child := protocol.NewRegistry(parent)
	child.Define("n", nil)
	return child
}

func add(registry *protocol.Registry, namespace string) {
	registry.Add(namespace, "s", nil, nil, func([]contract.Value) ([]any, error) { return nil, nil })
}
