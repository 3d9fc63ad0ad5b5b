package main

import "errors"

// YOUR IMPLEMENTATION: declare what its host side can do, and write RunHost with it. contract.Parent() and
// contract.Child(HostTypes) have the namespaces of the registry, with manifests and functions.

var (
	HostBinds    = []string{} // the ways to offer a connection, the default first: "devfd", "unix", ...
	HostTypes    = []string{} // that stand in a signature; the registry has an echo_T for each
	HostFeatures = []string{} // "concurrent"
)

// RunHost runs a plugin: it discovers the executable by its info, binds the registry over the bind (the default if
// empty), executes its command of type conformance-plugin with the arguments, and waits for it. It is an error, in one
// line, unless the plugin exited 0 and the connection ended without a protocol error.
func RunHost(bind, plugin string, args []string) error {
	return errors.New("this testee has no host side yet")
}
