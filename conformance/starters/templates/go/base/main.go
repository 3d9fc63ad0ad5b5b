// The testee: the program that the conformance suite starts. It needs no change; see README.md.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"testee/contract"
)

func main() {
	words := os.Args[1:]
	switch {
	case len(words) == 1 && words[0] == "info":
		info()
	case len(words) > 0 && words[0] == "conformance-plugin":
		contract.Run(words[1:], func(urls []string) contract.PluginSide { return NewPlugin(urls) })
	case len(words) > 1 && words[0] == "conformance-host":
		runHost(words[1:])
	case len(words) == 2 && words[0] == "conformance-panic":
		runMisuse(words[1])
	default:
		fmt.Fprintln(os.Stderr, "usage: testee info | conformance-plugin | conformance-host | conformance-panic [ARGUMENT...]")
		os.Exit(2)
	}
}

// info says what the testee can do, as the three sides declare it.
func info() {
	type object = map[string]any
	command := func(kind string, data object) object {
		data["contract"] = 1
		return object{"path": []string{kind}, "type": kind, "data": data}
	}
	kinds := []string{}
	for kind := range Misuses {
		kinds = append(kinds, kind)
	}
	manifest, err := json.Marshal(object{
		"manifestVersion": 1,
		"name":            "@NAME@",
		"version":         "0.1.0",
		"author":          "",
		"description":     "A testee of the conformance suite.",
		"tags":            []string{},
		"commands": []object{
			command("conformance-plugin", object{"schemes": PluginSchemes, "types": PluginTypes, "features": PluginFeatures}),
			command("conformance-host", object{"binds": HostBinds, "types": HostTypes, "features": HostFeatures}),
			command("conformance-panic", object{"kinds": kinds}),
		},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(string(manifest))
}

// runHost is the host side: run a plugin with the registry of the contract.
func runHost(words []string) {
	bind := ""
	if words[0] == "--bind" && len(words) > 2 {
		bind, words = words[1], words[2:]
	}
	if err := RunHost(bind, words[0], words[1:]); err != nil {
		fmt.Fprintln(os.Stderr, strings.Join(strings.Fields(err.Error()), " "))
		os.Exit(1)
	}
	os.Exit(0) // services that still run are not waited for
}

// runMisuse commits one misuse. An implementation that refuses it panics, and the process ends with status 2.
func runMisuse(kind string) {
	commit, known := Misuses[kind]
	if !known {
		fmt.Printf("unsupported: the misuse %q\n", kind)
		return
	}
	commit()
	fmt.Println("survived")
}
