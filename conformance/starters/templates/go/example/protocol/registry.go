package protocol

import (
	"encoding/json"
	"fmt"
	"sort"
)

// Function is what a service does: its results, or an error whose text the plugin gets.
type Function func(args []Value) ([]any, error)

type service struct {
	params, results []Type
	function        Function
}

type namespace struct {
	manifest Value
	services map[string]service
}

// Registry maps namespaces to services; what is not defined here is looked up in the parent. A mistake of the programmer
// is refused by a panic, where it is made.
type Registry struct {
	parent     *Registry
	namespaces map[string]namespace
}

// NewRegistry makes a registry that inherits another one, or none (nil).
func NewRegistry(parent *Registry) *Registry {
	return &Registry{parent, map[string]namespace{}}
}

// Define defines a namespace.
func (r *Registry) Define(name string, manifest any) {
	if _, found := r.namespaces[name]; found {
		panic(fmt.Sprintf("the namespace %q is defined already", name))
	}
	text, err := json.Marshal(manifest)
	if err != nil {
		panic(fmt.Sprintf("JSON cannot carry the manifest of %q: %v", name, err))
	}
	r.namespaces[name] = namespace{text, map[string]service{}}
}

// Add adds a service to a namespace of this registry.
func (r *Registry) Add(in, name string, params, results []Value, function Function) {
	found, defined := r.namespaces[in]
	if !defined {
		only := ""
		if _, elsewhere := r.find(in); elsewhere {
			only = " in this registry, only in its parent"
		}
		panic(fmt.Sprintf("undefined namespace %q%s", in, only))
	}
	if _, taken := found.services[name]; taken {
		panic(fmt.Sprintf("the namespace %q has a service %q already", in, name))
	}
	if function == nil {
		panic(fmt.Sprintf("the service %q is nil, not a function", name))
	}
	found.services[name] = service{mustParse(params), mustParse(results), function}
}

// find looks a namespace up, here and in the parents.
func (r *Registry) find(name string) (namespace, bool) {
	found, defined := r.namespaces[name]
	if !defined && r.parent != nil {
		return r.parent.find(name)
	}
	return found, defined
}

func (n namespace) names() []string {
	names := []string{}
	for name := range n.services {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
