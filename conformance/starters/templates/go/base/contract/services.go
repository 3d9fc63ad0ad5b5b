package contract

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Service is a function with its types. Its results are values that encoding/json writes; values that come in are in
// their JSON form: bytes are base64 text, a point is an object, an optional is null or its value.
type Service struct {
	Params, Results []Value
	Function        func(args []Value) ([]any, error)
}

// Namespace is a manifest and services.
type Namespace struct {
	Manifest any
	Services map[string]Service
}

// Parent is what the parent registry of the contract defines.
func Parent() map[string]Namespace {
	manifest := map[string]string{"layer": "parent"}
	return map[string]Namespace{
		"conformance/parent": {manifest, map[string]Service{"where": says("parent")}},
		"conformance/shadow": {manifest, map[string]Service{"where": says("parent"), "hidden": says("hidden")}},
	}
}

// Child is what the child registry defines, which inherits the parent; types are those that the implementation declares.
func Child(types []string) map[string]Namespace {
	return map[string]Namespace{
		"conformance":        {map[string]int{"contract": 1}, conformance(types)},
		"conformance/empty":  {nil, nil},
		"conformance/shadow": {map[string]string{"layer": "child"}, map[string]Service{"where": says("child")}},
	}
}

func conformance(types []string) map[string]Service {
	services := map[string]Service{
		"echo": {names("any"), names("any"), echo},
		"add": {names("int64", "int64"), names("int64"), func(args []Value) ([]any, error) {
			return []any{integer(args[0]) + integer(args[1])}, nil
		}},
		"swap": {names("any", "any"), names("any", "any"), func(args []Value) ([]any, error) {
			return []any{args[1], args[0]}, nil
		}},
		"none":       {nil, nil, func([]Value) ([]any, error) { return nil, nil }},
		"fail":       {names("string"), nil, func(args []Value) ([]any, error) { return nil, errors.New(text(args[0])) }},
		"fail_after": {names("string", "string"), names("string"), failAfter},
		"panic":      {names("string"), nil, func(args []Value) ([]any, error) { panic(text(args[0])) }},
		"sleep": {names("int64"), names("int64"), func(args []Value) ([]any, error) {
			time.Sleep(time.Duration(integer(args[0])) * time.Millisecond)
			return []any{args[0]}, nil
		}},
		"blob": {names("int64"), names("string"), func(args []Value) ([]any, error) {
			return []any{strings.Repeat("x", int(integer(args[0])))}, nil
		}},
		"unserializable": {nil, names("any"), func([]Value) ([]any, error) { return []any{make(chan int)}, nil }},
	}
	simple := names(types...)
	var once []Value
	for _, name := range types {
		if name != "any" {
			once = within(simple)
		}
	}
	for _, of := range append(append(simple, once...), within(once)...) {
		services["echo_"+typeName(of)] = Service{[]Value{of}, []Value{of}, echo}
	}
	return services
}

func failAfter(args []Value) ([]any, error) {
	return []any{args[0]}, errors.New(text(args[1]))
}

func echo(args []Value) ([]any, error) {
	return []any{args[0]}, nil
}

func says(text string) Service {
	return Service{nil, names("string"), func([]Value) ([]any, error) { return []any{text}, nil }}
}

func names(names ...string) []Value {
	var types []Value
	for _, name := range names {
		types = append(types, Value(`"`+name+`"`))
	}
	return types
}

// within gives lists, maps and optionals of the types.
func within(types []Value) []Value {
	var found []Value
	for _, kind := range []string{"list", "map", "optional"} {
		for _, of := range types {
			found = append(found, Value(`{"`+kind+`":`+string(of)+`}`))
		}
	}
	return found
}

// typeName is a type as it is written in the name of a service: list_int64.
func typeName(of Value) string {
	var kinds map[string]Value
	if json.Unmarshal(of, &kinds) != nil {
		return text(of)
	}
	for kind, inner := range kinds {
		return kind + "_" + typeName(inner)
	}
	return ""
}

func text(value Value) string {
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		panic(err) // the implementation has checked it
	}
	return text
}

func integer(value Value) int64 {
	var number int64
	if err := json.Unmarshal(value, &number); err != nil {
		panic(err)
	}
	return number
}
