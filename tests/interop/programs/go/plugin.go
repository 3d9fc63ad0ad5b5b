package main

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"github.com/chaitin/libveinmind/go/plugin/log"
	"github.com/chaitin/libveinmind/go/plugin/service"
)

const path = "/tmp/ä"

// runPlugin calls everything that the host has and returns the exit status.
func runPlugin(words []string) int {
	flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
	service.AddHostFlags(flags)
	must(flags.Parse(words))
	status, err := strconv.Atoi(flags.Arg(0))
	must(err)

	var add func(a, b int64) (int64, error)
	var describe func(name string, sizes []int64, weights map[string]float64) (string, float64, error)
	var echo func(text string) (string, error)
	var fail, panicking func(text string) error
	var missing func() error
	var recordOf func(plugin, key string, value interface{}) error
	for name, target := range map[string]service.Service{
		"add": &add, "describe": &describe, "echo": &echo, "fail": &fail, "panic": &panicking,
		"missing": &missing, "record": &recordOf,
	} {
		service.GetService(interop, name, target)
	}
	record := func(key string, value interface{}) { must(recordOf("go", key, value)) }

	log.WithFields(log.Fields{"path": path}).Info("scan started")
	record("hosted", service.Hosted())
	has, err := service.HasNamespace(interop)
	must(err)
	hasNone, err := service.HasNamespace("interop/none")
	must(err)
	record("namespaces", []bool{has, hasNone})
	var manifest map[string]interface{}
	must(service.GetManifest(interop, &manifest))
	record("manifest", manifest)
	services, err := service.ListServices(interop)
	must(err)
	sort.Strings(services)
	record("services", services)
	sum, err := add(40, 2)
	must(err)
	record("sum", sum)
	text, weight, err := describe("Ada ä €", []int64{1, 2, 3}, map[string]float64{"a": 0.5, "b": 1})
	must(err)
	record("described", []interface{}{text, weight})
	record("concurrent", sums(add))
	echoed, err := echo(strings.Repeat("x", 300_000))
	must(err)
	record("large", len(echoed))
	record("error", textOf(fail(`no such file: /tmp/ä "€"`)))
	record("panic", textOf(panicking("aargh")))
	record("undefined", textOf(missing()))
	log.Debug("details")
	log.Error("scan failed")
	log.Destroy()
	return status
}

// sums adds sixteen numbers to themselves, at the same time.
func sums(add func(a, b int64) (int64, error)) []int64 {
	results := make([]int64, 16)
	errs := make([]error, len(results))
	var group sync.WaitGroup
	for i := range results {
		i := i
		group.Add(1)
		go func() {
			defer group.Done()
			results[i], errs[i] = add(int64(i), int64(i))
		}()
	}
	group.Wait()
	for _, err := range errs {
		must(err)
	}
	return results
}

func textOf(err error) string {
	if err == nil {
		must(fmt.Errorf("the call succeeded"))
	}
	return err.Error()
}
