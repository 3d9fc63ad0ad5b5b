package protocol

import (
	"net"
	"os"
	"path/filepath"
)

// Offer is a connection that a host offers and the plugin is still to open.
type Offer interface {
	// urls is what --host is given.
	urls() []string
	// inherited are the files that the plugin gets as descriptors from 3 on.
	inherited() []*os.File
	// started is called when the plugin's process has been started.
	started()
	// connect waits for the plugin; it gives an error, or a connection at its end, when it never comes.
	connect() (*connection, error)
	// pluginGone ends the wait, and takes back what is still offered.
	pluginGone()
}

// Bind makes an offer.
type Bind func() (Offer, error)

// Binds are the ways to offer a connection.
var Binds = map[string]Bind{"devfd": newPipes, "unix": newSocket}

// pipes are two pipes whose ends the plugin inherits and opens by /dev/fd/N.
type pipes struct {
	reader, writer *os.File
	plugins        []*os.File
}

func newPipes() (Offer, error) {
	pluginReads, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	reader, pluginWrites, err := os.Pipe()
	return &pipes{reader, writer, []*os.File{pluginReads, pluginWrites}}, err
}

func (p *pipes) urls() []string        { return []string{"file:///dev/fd/3", "file:///dev/fd/4"} }
func (p *pipes) inherited() []*os.File { return p.plugins }
func (p *pipes) pluginGone()           {}

// started closes the plugin's ends: only then does its end show as end of file.
func (p *pipes) started() {
	for _, end := range p.plugins {
		end.Close()
	}
}

func (p *pipes) connect() (*connection, error) {
	return fileConnection(p.reader, p.writer), nil
}

// socket is a socket at which the plugin connects. Nobody else can reach it, and processes of other users are refused.
type socket struct {
	folder, path string
	listener     *net.UnixListener
}

func newSocket() (Offer, error) {
	folder, err := os.MkdirTemp("", "host-") // of mode 0700
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, "socket")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		os.RemoveAll(folder)
		return nil, err
	}
	return &socket{folder, path, listener}, nil
}

func (s *socket) urls() []string        { return []string{urlOf("unix", s.path)} }
func (s *socket) inherited() []*os.File { return nil }
func (s *socket) started()              {}

func (s *socket) connect() (*connection, error) {
	for {
		end, err := s.listener.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if isPeerTrusted(end) {
			s.listener.Close()
			os.RemoveAll(s.folder)
			return socketConnection(end), nil
		}
		end.Close()
	}
}

// pluginGone connects and says nothing: whoever waits gets this connection, unless the plugin has come before.
func (s *socket) pluginGone() {
	if nobody, err := net.Dial("unix", s.path); err == nil {
		nobody.Close()
	}
	os.RemoveAll(s.folder)
}
