package protocol

import (
	"bytes"
	"encoding/json"
)

// Value is a value in its JSON form, as it is written: no digit is lost.
type Value = json.RawMessage

// request is what a plugin asks; args is whatever came, or nil.
type request struct {
	sequence              uint64
	kind, namespace, name string
	args                  Value
}

// reply is what a host answers; reply is whatever came, or nil.
type reply struct {
	sequence uint64
	reply    Value
	ok       bool
	services []string
	err      *string
}

// fields are the members of a message.
type fields map[string]any

// write gives a message, with the line feed at its end; it is an error if JSON cannot carry a field.
func (f fields) write() ([]byte, error) {
	var message bytes.Buffer
	encoder := json.NewEncoder(&message)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(f)
	return message.Bytes(), err
}

func readRequest(message []byte) (request, error) {
	var read request
	found, err := members(message)
	read.args = found["args"]
	found.read(&err, "sequence", &read.sequence)
	found.read(&err, "type", &read.kind)
	found.read(&err, "namespace", &read.namespace)
	found.read(&err, "name", &read.name)
	return read, err
}

func readReply(message []byte) (reply, error) {
	var read reply
	found, err := members(message)
	read.reply = found["reply"]
	found.read(&err, "sequence", &read.sequence)
	found.read(&err, "ok", &read.ok)
	found.read(&err, "error", &read.err)
	var services []*string
	found.read(&err, "services", &services)
	for _, name := range services {
		if name == nil {
			return read, malformed("services is no array of strings")
		}
		read.services = append(read.services, *name)
	}
	return read, err
}

type object map[string]Value

func members(message []byte) (object, error) {
	var found object
	if err := json.Unmarshal(message, &found); err != nil {
		return nil, malformed(err.Error())
	}
	return found, nil
}

// read reads a member into its place, which stays as it is where the member is absent or null.
func (o object) read(err *error, key string, place any) {
	value, present := o[key]
	if *err == nil && present && json.Unmarshal(value, place) != nil {
		*err = malformed(key + " is of another type")
	}
}
