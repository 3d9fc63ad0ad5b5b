// Package contract is the testee contract: everything here is finished, and needs no change.
package contract

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Value is a value in its JSON form, as it is written: no digit is lost.
type Value = json.RawMessage

// Misuse is the error of an implementation that refuses a mistake of the programmer; a panic has the same outcome.
type Misuse struct{ Text string }

func (m Misuse) Error() string { return m.Text }

// Unsupported is the error of what an implementation, or this testee, cannot do.
type Unsupported struct{ Text string }

func (u Unsupported) Error() string { return u.Text }

// PluginSide is what the suite asks of a plugin. Any other error than the two above is an ordinary one: its text is
// exactly what the implementation gives its caller. A type is a JSON name, or an object with one member.
type PluginSide interface {
	// Call makes a typed consumer of a service and calls it.
	Call(namespace, name string, params, results, args []Value) ([]Value, error)
	// HasNamespace says whether the host has a namespace.
	HasNamespace(namespace string) (bool, error)
	// GetManifest gives the manifest of a namespace.
	GetManifest(namespace string) (Value, error)
	// ListServices gives the services of a namespace.
	ListServices(namespace string) ([]string, error)
	// Hosted says whether the plugin was started by a host.
	Hosted() (bool, error)
	// Bind makes a typed consumer without calling it, or commits a misuse of the consumer ("" for none).
	Bind(namespace, name string, params, results []Value, misuse string) error
	// Fallback calls a stub whose local function returns its arguments in reverse.
	Fallback(namespace, name string, args []Value) ([]Value, error)
}

// Nothing is a PluginSide that can do nothing: embed it, and write the methods that your implementation has.
type Nothing struct{}

func (Nothing) Call(_, _ string, _, _, _ []Value) ([]Value, error) { return nil, Unsupported{"call"} }
func (Nothing) HasNamespace(string) (bool, error)                  { return false, Unsupported{"hasNamespace"} }
func (Nothing) GetManifest(string) (Value, error)                  { return nil, Unsupported{"getManifest"} }
func (Nothing) ListServices(string) ([]string, error)              { return nil, Unsupported{"listServices"} }
func (Nothing) Hosted() (bool, error)                              { return false, Unsupported{"hosted"} }
func (Nothing) Bind(_, _ string, _, _ []Value, _ string) error     { return Unsupported{"bind"} }
func (Nothing) Fallback(_, _ string, _ []Value) ([]Value, error)   { return nil, Unsupported{"fallback"} }

// grace is how long running instructions have to end after the last one was read.
const grace = 250 * time.Millisecond

var idPattern = regexp.MustCompile(`"id"\s*:\s*(\d+)`)

type instruction struct {
	ID        Value   `json:"id"`
	Op        string  `json:"op"`
	Async     bool    `json:"async"`
	Namespace string  `json:"namespace"`
	Name      string  `json:"name"`
	Params    []Value `json:"params"`
	Results   []Value `json:"results"`
	Args      []Value `json:"args"`
	Misuse    string  `json:"misuse"`
	Code      int     `json:"code"`
}

type control struct {
	plugin     PluginSide
	outcomes   *os.File
	writing    sync.Mutex
	unfinished sync.WaitGroup
}

// Run carries out one instruction after the other until the input ends; async ones run in goroutines of their own. The
// words have a "--host URL" for each URL.
func Run(words []string, plugin func(urls []string) PluginSide) {
	var urls []string
	for i, word := range words {
		if word == "--host" && i+1 < len(words) {
			urls = append(urls, words[i+1])
		}
	}
	in, out := os.Stdin, os.Stdout
	var reader, writer uintptr
	if _, err := fmt.Sscanf(os.Getenv("CONFORMANCE_CONTROL"), "%d,%d", &reader, &writer); err == nil {
		in, out = os.NewFile(reader, "instructions"), os.NewFile(writer, "outcomes")
	}
	c := &control{plugin: plugin(urls), outcomes: out}
	lines := make(chan []byte, 1<<16)
	go c.work(lines)
	input := bufio.NewReaderSize(in, 1<<16)
	for {
		line, err := input.ReadBytes('\n')
		if len(line) > 0 {
			c.unfinished.Add(1)
			lines <- line
		}
		if err != nil {
			break
		}
	}
	finished := make(chan struct{})
	go func() {
		c.unfinished.Wait()
		close(finished)
	}()
	select {
	case <-finished:
	case <-time.After(grace):
	}
	os.Exit(0) // whatever is still going on
}

func (c *control) work(lines <-chan []byte) {
	for line := range lines {
		var order instruction
		if err := json.Unmarshal(line, &order); err != nil {
			id := Value("null")
			if found := idPattern.FindSubmatch(line); found != nil {
				id = found[1]
			}
			c.write(id, "error", "the instruction cannot be read: "+err.Error())
			continue
		}
		if order.Async {
			go c.carryOut(order)
		} else {
			c.carryOut(order)
		}
	}
}

func (c *control) carryOut(order instruction) {
	value, err := c.perform(order)
	var misuse Misuse
	var unsupported Unsupported
	switch {
	case err == nil:
		c.write(order.ID, "ok", value)
	case errors.As(err, &misuse):
		c.write(order.ID, "panic", err.Error())
	case errors.As(err, &unsupported):
		c.write(order.ID, "unsupported", err.Error())
	default:
		c.write(order.ID, "error", err.Error())
	}
}

func (c *control) write(id Value, kind string, value any) {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(map[string]any{"id": id, kind: value}); err != nil {
		panic(err)
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	c.outcomes.Write(line.Bytes())
	c.unfinished.Done()
}

// perform carries out one instruction; what it returns belongs under "ok".
func (c *control) perform(order instruction) (value any, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = Misuse{fmt.Sprint(panicked)}
		}
	}()
	switch order.Op {
	case "call":
		values, err := c.plugin.Call(order.Namespace, order.Name, order.Params, order.Results, order.Args)
		return filled(values), err
	case "hasNamespace":
		return c.plugin.HasNamespace(order.Namespace)
	case "getManifest":
		return c.plugin.GetManifest(order.Namespace)
	case "listServices":
		names, err := c.plugin.ListServices(order.Namespace)
		return filled(names), err
	case "hosted":
		return c.plugin.Hosted()
	case "bind":
		return "bound", c.plugin.Bind(order.Namespace, order.Name, order.Params, order.Results, order.Misuse)
	case "fallback":
		values, err := c.plugin.Fallback(order.Namespace, order.Name, order.Args)
		return filled(values), err
	case "exit":
		os.Exit(order.Code)
	}
	return nil, Unsupported{"the op " + strings.TrimSpace(order.Op)}
}

// filled is the list itself, or an empty one in place of nil: JSON tells them apart.
func filled[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
