// Command interop is the plugin and the host of ../README.md on the Go package of libveinmind.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/chaitin/libveinmind/go/plugin"
)

const interop = "interop"

func main() {
	words := os.Args[1:]
	switch {
	case len(words) == 1 && words[0] == "info":
		must(printInfo())
	case len(words) > 1 && words[0] == "run":
		os.Exit(runPlugin(words[1:]))
	case len(words) == 3 && words[0] == "host":
		must(runHost(words[1], words[2]))
	default:
		must(fmt.Errorf("unexpected arguments %q", words))
	}
}

func printInfo() error {
	data, err := json.Marshal(plugin.Manifest{
		Name:            "go",
		ManifestVersion: plugin.CurrentManifestVersion,
		Commands:        []plugin.Command{{Path: []string{"run"}, Type: interop, Data: json.RawMessage("null")}},
	})
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(append(data, '\n'))
	return err
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(99)
	}
}
