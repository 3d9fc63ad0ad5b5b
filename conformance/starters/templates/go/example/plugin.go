package main

import (
	"testee/contract"
	"testee/protocol"
)

// The plugin side: the implementation in protocol, as the contract drives it.
var (
	PluginSchemes  = []string{"file", "unix"}
	PluginTypes    = protocol.TypeNames
	PluginFeatures = []string{"concurrent", "single-url", "fallback", "control-fd", "prototypes"}
)

// Plugin is a plugin that was started with URLs.
type Plugin struct {
	*protocol.Client
}

// NewPlugin makes it.
func NewPlugin(urls []string) *Plugin {
	return &Plugin{protocol.NewClient(urls)}
}

// Call makes a typed consumer of a service and calls it.
func (p *Plugin) Call(namespace, name string, params, results, args []contract.Value) ([]contract.Value, error) {
	for _, types := range [][]contract.Value{params, results} {
		if _, err := protocol.ParseTypes(types); err != nil {
			return nil, contract.Unsupported{Text: err.Error()}
		}
	}
	return p.Consumer(namespace, name, params, results)(args)
}

// Hosted says whether the plugin was started by a host.
func (p *Plugin) Hosted() (bool, error) {
	return p.Client.Hosted(), nil
}

// Bind makes a typed consumer without calling it, or commits a misuse of the consumer.
func (p *Plugin) Bind(namespace, name string, params, results []contract.Value, misuse string) error {
	switch misuse {
	case "":
	case "get-unmarshalable":
		params = []contract.Value{contract.Value(`"unmarshalable"`)}
	default:
		return contract.Unsupported{Text: "the misuse " + misuse}
	}
	p.Consumer(namespace, name, params, results)
	return nil
}

// Fallback calls a stub whose local function returns its arguments in reverse.
func (p *Plugin) Fallback(namespace, name string, args []contract.Value) ([]contract.Value, error) {
	var reversed, types []contract.Value
	for _, value := range args {
		reversed = append([]contract.Value{value}, reversed...)
		types = append(types, contract.Value(`"any"`))
	}
	if !p.Client.Hosted() {
		return reversed, nil
	}
	return p.Call(namespace, name, types, types, args)
}
