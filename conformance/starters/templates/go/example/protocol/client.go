package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// Client is the plugin side: requests out, replies in, and typed consumers of services. The connection is opened by the
// first request; where that fails, the next one tries again.
type Client struct {
	urls     []string
	opening  sync.Mutex
	requests *requests
}

// NewClient makes the client of a plugin that was started with these URLs.
func NewClient(urls []string) *Client {
	return &Client{urls: urls}
}

// Hosted says whether the plugin was started by a host.
func (c *Client) Hosted() bool {
	return len(c.urls) > 0
}

// HasNamespace says whether the host has a namespace.
func (c *Client) HasNamespace(namespace string) (bool, error) {
	answer, err := c.request(fields{"type": "hasNamespace", "namespace": namespace})
	return answer.ok, err
}

// GetManifest gives the manifest of a namespace.
func (c *Client) GetManifest(namespace string) (Value, error) {
	answer, err := c.request(fields{"type": "getManifest", "namespace": namespace})
	if answer.reply == nil {
		return Value("null"), err
	}
	return answer.reply, err
}

// ListServices gives the services of a namespace.
func (c *Client) ListServices(namespace string) ([]string, error) {
	answer, err := c.request(fields{"type": "listServices", "namespace": namespace})
	return answer.services, err
}

// Consumer calls a service.
type Consumer func(args []Value) ([]Value, error)

// Consumer makes a function that calls a service with these types; it panics where JSON cannot carry one of them.
func (c *Client) Consumer(namespace, name string, params, results []Value) Consumer {
	sent, received := mustParse(params), mustParse(results)
	return func(args []Value) ([]Value, error) {
		given, err := json.Marshal(append([]Value{}, args...))
		if err != nil {
			return nil, err
		}
		checked, err := checkAll(sent, given, "arguments")
		if err != nil {
			return nil, err
		}
		answer, err := c.request(fields{"type": "call", "namespace": namespace, "name": name, "args": checked})
		if err != nil {
			return nil, err
		}
		if len(received) == 0 && (answer.reply == nil || string(answer.reply) == "null") {
			return nil, nil
		}
		return checkAll(received, answer.reply, "results")
	}
}

func mustParse(types []Value) []Type {
	parsed, err := ParseTypes(types)
	if err != nil {
		panic(err.Error())
	}
	return parsed
}

func (c *Client) request(asked fields) (reply, error) {
	c.opening.Lock()
	if c.requests == nil {
		opened, err := openURLs(c.urls)
		if err != nil {
			c.opening.Unlock()
			return reply{}, err
		}
		c.requests = &requests{connection: opened, pending: map[uint64]chan reply{}}
		go c.requests.read()
	}
	c.opening.Unlock()
	return c.requests.send(asked)
}

// requests are those of one connection. One goroutine reads the replies; each caller writes its own request.
type requests struct {
	connection *connection
	writing    sync.Mutex
	state      sync.Mutex // for what follows
	sequence   uint64
	pending    map[uint64]chan reply // closed when the connection ends
	end        error                 // why it has ended
}

func (r *requests) send(asked fields) (reply, error) {
	waiting := make(chan reply, 1)
	r.state.Lock()
	if r.end != nil {
		defer r.state.Unlock()
		return reply{}, r.end
	}
	r.sequence++
	asked["sequence"] = r.sequence
	r.pending[r.sequence] = waiting
	r.state.Unlock()

	message, err := asked.write()
	if err != nil {
		return reply{}, err
	}
	r.writing.Lock()
	_, err = r.connection.writer.Write(message)
	r.writing.Unlock()
	if err != nil {
		r.fail(fmt.Errorf("connection lost: writing failed: %w", err))
	}
	answer, received := <-waiting
	if !received {
		r.state.Lock()
		defer r.state.Unlock()
		return reply{}, r.end
	}
	if answer.err != nil {
		return reply{}, errors.New(*answer.err)
	}
	return answer, nil
}

func (r *requests) read() {
	scanner := newScanner()
	buffer := make([]byte, 1<<16)
	for {
		count, err := r.connection.read(buffer)
		switch {
		case err != nil:
			err = fmt.Errorf("connection lost: reading failed: %w", err)
		case count == 0 && scanner.withinMessage():
			err = errors.New("connection lost: end of file in the middle of a message")
		case count == 0:
			err = errors.New("connection lost: end of file")
		default:
			if err = scanner.feed(buffer[:count], r.deliver); err != nil {
				err = fmt.Errorf("connection lost: %w", err)
			}
		}
		if err != nil {
			r.fail(err)
			r.connection.closeReading()
			r.connection.closeWriting()
			return
		}
	}
}

// deliver gives a reply to who waits for it; one that nobody waits for is ignored.
func (r *requests) deliver(message []byte) error {
	answer, err := readReply(message)
	if err != nil {
		return err
	}
	r.state.Lock()
	defer r.state.Unlock()
	if waiting, found := r.pending[answer.sequence]; found {
		delete(r.pending, answer.sequence)
		waiting <- answer
	}
	return nil
}

// fail ends the connection: whoever waits fails, and so does every later request.
func (r *requests) fail(reason error) {
	r.state.Lock()
	defer r.state.Unlock()
	if r.end == nil {
		r.end = reason
	}
	for sequence, waiting := range r.pending {
		close(waiting)
		delete(r.pending, sequence)
	}
}
