package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// grace is how long running services have to be answered after a malformed request.
const grace = time.Second

// server is the host side of one connection: one goroutine reads, one writes, and each call has one of its own. So a slow
// service holds up nobody, and a reply that waits for room does not keep requests from being read.
type server struct {
	registry   *Registry
	connection *connection
	running    sync.WaitGroup
	problem    error         // what was wrong with the requests; read it after readAll
	readAll    chan struct{} // closed when nothing more is read
	queue      sync.Mutex    // for what follows
	replies    [][]byte
	more       chan struct{} // has an item when there may be something to write, and is closed at the end
}

func serve(registry *Registry, connection *connection) *server {
	s := &server{registry: registry, connection: connection, readAll: make(chan struct{}), more: make(chan struct{}, 1)}
	go s.read()
	go s.write()
	return s
}

func (s *server) read() {
	scanner := newScanner()
	buffer := make([]byte, 1<<16)
	for s.problem == nil {
		count, err := s.connection.read(buffer)
		if err != nil {
			s.problem = fmt.Errorf("cannot read requests: %w", err)
		} else if count > 0 {
			s.problem = scanner.feed(buffer[:count], s.accept)
		} else if scanner.withinMessage() {
			s.problem = errors.New("malformed message: end of file in the middle of a request")
		} else {
			break
		}
	}
	s.connection.closeReading()
	close(s.readAll)
	answered := make(chan struct{})
	go func() {
		s.running.Wait()
		close(answered)
	}()
	var timeout <-chan time.Time
	if s.problem != nil {
		timeout = time.After(grace)
	}
	select {
	case <-answered:
	case <-timeout:
	}
	s.enqueue(nil)
}

// enqueue appends a reply, or nil for the end.
func (s *server) enqueue(message []byte) {
	s.queue.Lock()
	s.replies = append(s.replies, message)
	s.queue.Unlock()
	select {
	case s.more <- struct{}{}:
	default: // the writer will look anyway
	}
}

// write writes the replies in the order in which they are ready. A plugin that reads no more gets none.
func (s *server) write() {
	broken := false
	for range s.more {
		s.queue.Lock()
		messages := s.replies
		s.replies = nil
		s.queue.Unlock()
		for _, message := range messages {
			if message == nil {
				s.connection.closeWriting()
				return
			}
			if !broken {
				_, err := s.connection.writer.Write(message)
				broken = err != nil
			}
		}
	}
}

func (s *server) accept(message []byte) error {
	asked, err := readRequest(message)
	if err != nil {
		return err
	}
	found, defined := s.registry.find(asked.namespace)
	called, provided := found.services[asked.name]
	switch {
	case asked.kind == "hasNamespace":
		s.reply(asked, "ok", defined)
	case !defined:
		s.reply(asked, "error", "undefined namespace "+quoted(asked.namespace))
	case asked.kind == "getManifest":
		s.reply(asked, "reply", found.manifest)
	case asked.kind == "listServices":
		s.reply(asked, "services", found.names())
	case asked.kind != "call":
		s.reply(asked, "error", "invalid request type "+quoted(asked.kind))
	case !provided:
		s.reply(asked, "error", "undefined service "+quoted(asked.name))
	default:
		s.running.Add(1)
		go func() {
			defer s.running.Done()
			results, err := called.run(asked.args)
			if err != nil {
				s.reply(asked, "error", err.Error())
			} else {
				s.reply(asked, "reply", results)
			}
		}()
	}
	return nil
}

// run runs a service; a panic is an error.
func (s service) run(args Value) (results []Value, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic in service: %v", panicked)
		}
	}()
	given, err := checkAll(s.params, args, "arguments")
	if err != nil {
		return nil, err
	}
	returned, err := s.function(given)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(append([]any{}, returned...))
	if err != nil {
		return nil, fmt.Errorf("JSON cannot carry a result: %w", err)
	}
	return checkAll(s.results, text, "results")
}

func (s *server) reply(asked request, key string, value any) {
	message, err := fields{"sequence": asked.sequence, key: value}.write()
	if err != nil {
		message, _ = fields{"sequence": asked.sequence, "error": err.Error()}.write()
	}
	s.enqueue(message)
}

func quoted(text string) string {
	return `"` + text + `"`
}
