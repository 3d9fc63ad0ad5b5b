package protocol

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// connection is the own end of a connection. What is closed ends the waits of all goroutines at it.
type connection struct {
	reader       io.Reader
	writer       io.Writer
	closeReading func() // read nothing more; what the other side still writes is refused
	closeWriting func() // write nothing more; called after closeReading
}

// read waits for the next bytes; 0 at the end.
func (c *connection) read(buffer []byte) (int, error) {
	count, err := c.reader.Read(buffer)
	// EOF, or how a terminal and a socket say that the other side is gone.
	if err == io.EOF || errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ECONNRESET) {
		return 0, nil
	}
	return count, err
}

func fileConnection(reader, writer *os.File, inherited ...int) *connection {
	return &connection{reader, writer, func() {
		if reader != writer {
			reader.Close()
		}
	}, func() {
		writer.Close()
		for _, descriptor := range inherited {
			syscall.Close(descriptor)
		}
	}}
}

func socketConnection(socket *net.UnixConn) *connection {
	return &connection{socket, socket, func() { socket.CloseRead() }, func() { socket.Close() }}
}

// openURLs opens a connection: one URL is read and written; of two, the first is read and the second written.
func openURLs(urls []string) (*connection, error) {
	if len(urls) == 0 {
		return nil, errors.New("there is no host: the program was started without --host")
	}
	if len(urls) > 2 {
		return nil, fmt.Errorf("one or two URLs are expected, not %d", len(urls))
	}
	var inherited []int
	var paths []string
	for _, text := range urls {
		scheme, path, err := parseURL(text)
		if err != nil {
			return nil, fmt.Errorf("cannot open %s: %w", text, err)
		}
		if scheme == "unix" && len(urls) == 1 {
			return connect(path, text)
		}
		if scheme == "unix" {
			return nil, fmt.Errorf("cannot open %s: it is a stream in both directions, and not one of two", text)
		}
		number, err := strconv.Atoi(strings.TrimPrefix(strings.TrimPrefix(path, "/dev/fd/"), "/proc/self/fd/"))
		if err == nil && number > 2 && (len(inherited) == 0 || inherited[0] != number) {
			inherited = append(inherited, number) // opening it makes another one, and both have to be closed
		}
		paths = append(paths, path)
	}
	if len(paths) == 1 {
		opened := <-openLater(paths[0], os.O_RDWR)
		if opened.err != nil {
			return nil, fmt.Errorf("cannot open %s: %w", urls[0], opened.err)
		}
		return fileConnection(opened.file, opened.file, inherited...), nil
	}
	reader, writer, err := openBoth(openLater(paths[0], os.O_RDONLY), openLater(paths[1], os.O_WRONLY))
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", strings.Join(urls, " and "), err)
	}
	return fileConnection(reader, writer, inherited...), nil
}

// parseURL gives scheme and path of a URL.
func parseURL(text string) (scheme, path string, err error) {
	scheme, rest, found := strings.Cut(text, ":")
	if !found {
		return "", "", errors.New("it is no URL")
	}
	if scheme = strings.ToLower(scheme); scheme != "file" && scheme != "unix" {
		return "", "", fmt.Errorf("unknown scheme %q", scheme)
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, _, _ = strings.Cut(rest, "?")
	if authority, found := strings.CutPrefix(rest, "//"); found {
		slash := strings.IndexByte(authority+"/", '/')
		if host := authority[:slash]; host != "" && host != "localhost" {
			return "", "", fmt.Errorf("it names another host, %q", host)
		}
		rest = authority[slash:]
	}
	path, err = url.PathUnescape(rest)
	if err == nil && (!strings.HasPrefix(path, "/") || strings.ContainsRune(path, 0)) {
		err = errors.New("expected an absolute path")
	}
	return scheme, path, err
}

// urlOf is the URL of an absolute path.
func urlOf(scheme, path string) string {
	return (&url.URL{Scheme: scheme, Path: path}).String()
}

type opened struct {
	file *os.File
	err  error
}

// openLater opens a file in a goroutine: opening a named pipe waits for the other side.
func openLater(path string, mode int) <-chan opened {
	done := make(chan opened, 1)
	go func() {
		file, err := os.OpenFile(path, mode|syscall.O_NOCTTY, 0)
		if err == nil {
			if stat, failed := file.Stat(); failed == nil && stat.IsDir() {
				file.Close()
				err = errors.New("it is a directory")
			}
		}
		done <- opened{file, err}
	}()
	return done
}

// openBoth waits for two files; where one cannot be opened, it does not wait for the other.
func openBoth(reading, writing <-chan opened) (reader, writer *os.File, err error) {
	for reader == nil || writer == nil {
		var one opened
		select {
		case one = <-reading:
			reader, reading = one.file, nil
		case one = <-writing:
			writer, writing = one.file, nil
		}
		if one.err != nil {
			go closeWhenOpen(reading, reader)
			go closeWhenOpen(writing, writer)
			return nil, nil, one.err
		}
	}
	return reader, writer, nil
}

func closeWhenOpen(opening <-chan opened, file *os.File) {
	if opening != nil {
		file = (<-opening).file
	}
	if file != nil {
		file.Close()
	}
}

// connect connects to a socket; neither through a symbolic link nor to another user's process.
func connect(path, text string) (*connection, error) {
	stat, err := os.Lstat(path)
	if err == nil && stat.Mode()&os.ModeSymlink != 0 {
		err = errors.New("it is a symbolic link")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", text, err)
	}
	socket, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", text, err)
	}
	if !isPeerTrusted(socket) {
		socket.Close()
		return nil, fmt.Errorf("cannot open %s: the process of another user listens there", text)
	}
	return socketConnection(socket), nil
}

// isPeerTrusted says whether the process at the other end of a socket is this user's or root's.
func isPeerTrusted(socket *net.UnixConn) bool {
	trusted := false
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Control(func(descriptor uintptr) {
		peer, err := syscall.GetsockoptUcred(int(descriptor), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		trusted = err == nil && (peer.Uid == 0 || int(peer.Uid) == os.Geteuid())
	})
	return err == nil && trusted
}
