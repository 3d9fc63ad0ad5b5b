package main

import (
	"fmt"

	"testee/contract"
	"testee/protocol"
)

// The host side: the implementation in protocol, as the contract drives it.
var (
	HostBinds    = []string{"devfd", "unix"}
	HostTypes    = protocol.TypeNames
	HostFeatures = []string{"concurrent"}
)

// RunHost runs a plugin with the registry of the contract.
func RunHost(bind, plugin string, args []string) error {
	if bind == "" {
		bind = HostBinds[0]
	}
	chosen, known := protocol.Binds[bind]
	if !known {
		return fmt.Errorf("unknown bind %q", bind)
	}
	parent := protocol.NewRegistry(nil)
	define(parent, contract.Parent())
	child := protocol.NewRegistry(parent)
	define(child, contract.Child(HostTypes))
	path, err := protocol.Discover(plugin, "conformance-plugin")
	if err != nil {
		return err
	}
	return protocol.NewBound(child, chosen).Execute(append([]string{plugin}, path...), args)
}

// define puts the contract's namespaces into a registry of the implementation.
func define(registry *protocol.Registry, namespaces map[string]contract.Namespace) {
	for name, namespace := range namespaces {
		registry.Define(name, namespace.Manifest)
		for service, made := range namespace.Services {
			registry.Add(name, service, made.Params, made.Results, made.Function)
		}
	}
}
