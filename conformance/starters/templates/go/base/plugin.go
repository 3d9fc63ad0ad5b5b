package main

import "testee/contract"

// YOUR IMPLEMENTATION: declare what its plugin side can do, and call it in the methods of contract.PluginSide that you
// write for Plugin. What is left out is unsupported.

var (
	PluginSchemes  = []string{} // of URLs that it opens: "file", "unix", ...
	PluginTypes    = []string{} // that stand in a signature: "any", "bool", "string", "int64", "bytes", "point", ...
	PluginFeatures = []string{} // "concurrent", "single-url", "fallback", "control-fd", "prototypes"
)

// Plugin is a plugin that was started with URLs.
type Plugin struct {
	contract.Nothing
}

// NewPlugin makes it.
func NewPlugin(urls []string) *Plugin {
	return &Plugin{}
}
