package protocol

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Type is the type of a parameter or result. Values are in their JSON form: bytes are base64 text, a point is an object,
// an optional is null or its value. Every value is checked where it leaves and where it arrives.
type Type struct {
	name  string // of a simple type, or list, map or optional
	inner *Type
}

// TypeNames are the names of the simple types.
var TypeNames = []string{
	"any", "raw", "bool", "string", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
	"float32", "float64", "bytes", "point",
}

// ParseType reads a name, or an object with one member: "int64", {"list": "int64"}.
func ParseType(of Value) (Type, error) {
	var name string
	if json.Unmarshal(of, &name) == nil {
		for _, known := range TypeNames {
			if name == known {
				return Type{name: name}, nil
			}
		}
	}
	var kinds map[string]Value
	if json.Unmarshal(of, &kinds) == nil && len(kinds) == 1 {
		for _, kind := range []string{"list", "map", "optional"} {
			if inner, found := kinds[kind]; found {
				parsed, err := ParseType(inner)
				return Type{kind, &parsed}, err
			}
		}
	}
	return Type{}, fmt.Errorf("JSON cannot carry values of the type %s", of)
}

// ParseTypes reads several types.
func ParseTypes(types []Value) ([]Type, error) {
	var parsed []Type
	for _, of := range types {
		one, err := ParseType(of)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, one)
	}
	return parsed, nil
}

// checkAll checks as many values as types; what they are is said in the error.
func checkAll(types []Type, values Value, what string) ([]Value, error) {
	var list []Value
	if json.Unmarshal(values, &list) != nil || list == nil {
		return nil, fmt.Errorf("expected an array of %s, got %s", what, shown(values))
	}
	if len(list) != len(types) {
		return nil, fmt.Errorf("expected %d %s, got %d", len(types), what, len(list))
	}
	for i, of := range types {
		checked, err := of.check(list[i], fmt.Sprintf("$[%d]", i))
		if err != nil {
			return nil, err
		}
		list[i] = checked
	}
	return list, nil
}

// check gives the value as its type has it; where it stands is said in the error.
func (t Type) check(value Value, where string) (Value, error) {
	mismatch := fmt.Errorf("expected %s, got %s, at %s", t.name, shown(value), where)
	text := string(value)
	switch t.name {
	case "any", "raw":
		return value, nil
	case "optional":
		if text == "null" {
			return value, nil
		}
		return t.inner.check(value, where)
	case "list":
		return t.checkList(value, where, mismatch)
	case "map":
		return t.checkMap(value, where, mismatch)
	case "point":
		return checkPoint(value, where, mismatch)
	}
	fits := false
	switch {
	case t.name == "bool":
		fits = text == "true" || text == "false"
	case t.name == "string":
		fits = text[0] == '"'
	case t.name == "bytes":
		var encoded string
		fits = text[0] == '"' && json.Unmarshal(value, &encoded) == nil && isBase64(encoded)
	case strings.HasPrefix(t.name, "float"):
		bits, _ := strconv.Atoi(strings.TrimPrefix(t.name, "float"))
		number, err := strconv.ParseFloat(text, bits)
		if fits = err == nil && isNumber(text); fits {
			value = Value(written(number))
		}
	case strings.HasPrefix(t.name, "uint"):
		bits, _ := strconv.Atoi(strings.TrimPrefix(t.name, "uint"))
		_, err := strconv.ParseUint(text, 10, bits)
		fits = err == nil
	default:
		bits, _ := strconv.Atoi(strings.TrimPrefix(t.name, "int"))
		_, err := strconv.ParseInt(text, 10, bits)
		fits = err == nil && isNumber(text)
	}
	if !fits {
		return nil, mismatch
	}
	return value, nil
}

func (t Type) checkList(value Value, where string, mismatch error) (Value, error) {
	var items []Value
	if json.Unmarshal(value, &items) != nil || items == nil {
		return nil, mismatch
	}
	for i, item := range items {
		checked, err := t.inner.check(item, fmt.Sprintf("%s[%d]", where, i))
		if err != nil {
			return nil, err
		}
		items[i] = checked
	}
	return json.Marshal(items)
}

func (t Type) checkMap(value Value, where string, mismatch error) (Value, error) {
	var members map[string]Value
	if json.Unmarshal(value, &members) != nil || members == nil {
		return nil, mismatch
	}
	for key, item := range members {
		checked, err := t.inner.check(item, where+"."+key)
		if err != nil {
			return nil, err
		}
		members[key] = checked
	}
	return json.Marshal(members)
}

// checkPoint leaves out unknown fields, and an empty label.
func checkPoint(value Value, where string, mismatch error) (Value, error) {
	var members map[string]Value
	if json.Unmarshal(value, &members) != nil || members == nil {
		return nil, mismatch
	}
	made := map[string]Value{"x": Value("0"), "y": Value("0"), "label": Value(`""`)}
	for key, of := range map[string]string{"x": "int64", "y": "float64", "label": "string"} {
		if field, present := members[key]; present {
			checked, err := Type{name: of}.check(field, where+"."+key)
			if err != nil {
				return nil, err
			}
			made[key] = checked
		}
	}
	if string(made["label"]) == `""` {
		delete(made, "label")
	}
	return json.Marshal(made)
}

func isNumber(text string) bool {
	return text[0] == '-' || '0' <= text[0] && text[0] <= '9'
}

func isBase64(text string) bool {
	_, err := base64.StdEncoding.Strict().DecodeString(text)
	return err == nil && !strings.ContainsAny(text, "\r\n")
}

// written is a number as JSON; a negative zero keeps its sign.
func written(number float64) string {
	if number == 0 && math.Signbit(number) {
		return "-0.0"
	}
	return strconv.FormatFloat(number, 'g', -1, 64)
}

func shown(value Value) string {
	if len(value) == 0 {
		return "nothing"
	}
	switch value[0] {
	case '"':
		return "a string"
	case '[':
		return "an array"
	case '{':
		return "an object"
	}
	if len(value) > 40 {
		value = value[:40]
	}
	return string(value)
}
