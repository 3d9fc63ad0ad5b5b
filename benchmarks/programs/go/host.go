package main

import (
	"context"
	"time"

	"github.com/chaitin/libveinmind/go/plugin"
	"github.com/chaitin/libveinmind/go/plugin/service"
)

type services struct{}

// Add adds the services of the namespace.
func (services) Add(registry *service.Registry) {
	registry.Define(bench, map[string]interface{}{})
	for name, function := range map[string]service.Service{
		"add":    func(a, b int64) int64 { return a + b },
		"echo":   func(text string) string { return text },
		"points": func(points []Point) []Point { return points },
		"sleep": func(milliseconds int64) int64 {
			time.Sleep(time.Duration(milliseconds) * time.Millisecond)
			return milliseconds
		},
	} {
		registry.AddService(bench, name, function)
	}
}

func runHost(path, control string) error {
	ctx := context.Background()
	found, err := plugin.NewPlugin(ctx, path)
	if err != nil {
		return err
	}
	commands, err := plugin.IterateTyped(found, bench)
	if err != nil {
		return err
	}
	registry := service.NewRegistry()
	registry.AddServices(services{})
	// The package reports an error after every execution, the successful ones included.
	_ = plugin.Exec(ctx, commands, []string{control}, registry.Bind())
	return nil
}
