// Command benchmarks is the host and the plugin of ../../README.md on the Go package of libveinmind.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/chaitin/libveinmind/go/plugin"
)

const bench = "bench"

// Point is the structure of the work "typed".
type Point struct {
	X     int64   `json:"x"`
	Y     float64 `json:"y"`
	Label string  `json:"label"`
}

func main() {
	words := os.Args[1:]
	switch {
	case len(words) == 1 && words[0] == "info":
		must(printInfo())
	case len(words) > 1 && words[0] == "run":
		must(runPlugin(words[1:]))
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
		Commands:        []plugin.Command{{Path: []string{"run"}, Type: bench, Data: json.RawMessage("null")}},
	})
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(append(data, '\n'))
	return err
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(99)
	}
}
