package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/chaitin/libveinmind/go/plugin"
	"github.com/chaitin/libveinmind/go/plugin/log"
	"github.com/chaitin/libveinmind/go/plugin/service"
)

type logged struct {
	Level  log.Level  `json:"level"`
	Msg    string     `json:"msg"`
	Fields log.Fields `json:"fields"`
}

// report is what the host prints in the end; it is also the core of the log service, and keeps its records.
type report struct {
	mutex   sync.Mutex
	Records map[string]map[string]interface{} `json:"records"`
	Log     []logged                          `json:"log"`
	Report  *string                           `json:"report"`
	Status  int                               `json:"status"`
}

func (r *report) Enabled(level log.Level) bool { return level <= log.InfoLevel }

func (r *report) Do(record log.Log) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	fields := record.Fields
	if fields == nil {
		fields = log.Fields{}
	}
	r.Log = append(r.Log, logged{record.Level, record.Msg, fields})
}

// Add adds the services of the namespace.
func (r *report) Add(registry *service.Registry) {
	registry.Define(interop, map[string]interface{}{"name": "interop", "version": 3})
	for name, function := range map[string]service.Service{
		"add": func(a, b int64) int64 { return a + b },
		"describe": func(name string, sizes []int64, weights map[string]float64) (string, float64) {
			var size int64
			for _, each := range sizes {
				size += each
			}
			var weight float64
			for _, each := range weights {
				weight += each
			}
			return fmt.Sprintf("%s: %d", name, size), weight
		},
		"echo":  func(text string) string { return text },
		"fail":  func(text string) error { return errors.New(text) },
		"panic": func(text string) { panic(text) },
		"record": func(plugin, key string, value interface{}) {
			r.mutex.Lock()
			defer r.mutex.Unlock()
			if r.Records[plugin] == nil {
				r.Records[plugin] = map[string]interface{}{}
			}
			r.Records[plugin][key] = value
		},
	} {
		registry.AddService(interop, name, function)
	}
}

// start runs a plugin as the package does by itself, and keeps its exit status, which the package loses.
func (r *report) start(
	_ context.Context, _ *plugin.Plugin, path string, argv []string, attr *os.ProcAttr,
) error {
	process, err := os.StartProcess(path, argv, attr)
	if err != nil {
		return err
	}
	state, err := process.Wait()
	if err != nil {
		return err
	}
	r.Status = state.ExitCode()
	if !state.Success() {
		return errors.New(state.String())
	}
	return nil
}

func runHost(path, status string) error {
	ctx := context.Background()
	result := &report{Records: map[string]map[string]interface{}{}, Log: []logged{}}
	found, err := plugin.NewPlugin(ctx, path, plugin.WithExecutor(result.start))
	if err != nil {
		return err
	}
	commands, err := plugin.IterateTyped(found, interop)
	if err != nil {
		return err
	}
	registry := service.NewRegistry()
	registry.AddServices(result)
	registry.AddServices(log.New(result))
	keep := plugin.WithExecHandler(func(_ *plugin.Plugin, _ *plugin.Command, err error) error { return err })
	if err := plugin.Exec(ctx, commands, []string{status}, keep, registry.Bind()); err != nil {
		text := err.Error()
		result.Report = &text
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}
