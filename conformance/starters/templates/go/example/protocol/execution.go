package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	infoTime  = 20 * time.Second
	drainTime = 2 * time.Second // to read what a plugin has left behind
	endTime   = 5 * time.Second // for a plugin to end after its connection was ended
)

// Discover gives the path of the plugin's command of a type, by its info.
func Discover(plugin, kind string) ([]string, error) {
	output, err := os.CreateTemp("", "info-") // a file: whatever the plugin leaves behind cannot hold it open
	if err != nil {
		return nil, err
	}
	defer output.Close()
	os.Remove(output.Name())
	command := exec.Command(plugin, "info")
	command.Stdout, command.Stderr = output, os.Stderr
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("%s: cannot be started: %w", plugin, err)
	}
	timer := time.AfterFunc(infoTime, func() { command.Process.Kill() })
	err = command.Wait()
	if !timer.Stop() {
		return nil, fmt.Errorf("%s info: did not end within %v", plugin, infoTime)
	}
	if err != nil {
		return nil, fmt.Errorf("%s info: %s", plugin, describe(err))
	}
	if _, err := output.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	printed, err := io.ReadAll(output)
	if err != nil {
		return nil, err
	}
	path, err := pathOf(printed, kind)
	if err != nil {
		return nil, fmt.Errorf("%s info: %w", plugin, err)
	}
	return path, nil
}

func pathOf(printed []byte, kind string) ([]string, error) {
	var manifest struct {
		ManifestVersion Value `json:"manifestVersion"`
		Commands        []struct {
			Path []*string `json:"path"`
			Type string    `json:"type"`
		} `json:"commands"`
	}
	if err := json.Unmarshal(printed, &manifest); err != nil {
		return nil, fmt.Errorf("no manifest was printed: %w", err)
	}
	if string(manifest.ManifestVersion) != "1" {
		return nil, fmt.Errorf("manifestVersion is %s, expected 1", manifest.ManifestVersion)
	}
	if manifest.Commands == nil {
		return nil, errors.New("the manifest has no commands")
	}
	for _, command := range manifest.Commands {
		var path []string
		for _, word := range command.Path {
			if word == nil {
				return nil, errors.New("the path of a command has something that is no string")
			}
			path = append(path, *word)
		}
		if command.Path == nil {
			return nil, errors.New("a command has no path")
		}
		if command.Type == kind {
			return path, nil
		}
	}
	return nil, fmt.Errorf("there is no command of the type %s", kind)
}

// Bound is a registry, and the way in which it is offered.
type Bound struct {
	registry *Registry
	bind     Bind
}

// NewBound binds a registry; it panics if there is no bind.
func NewBound(registry *Registry, bind Bind) *Bound {
	if bind == nil {
		panic("the bind function is nil")
	}
	return &Bound{registry, bind}
}

// Execute runs a plugin's command and waits for it. It is an error, in one line, unless it ends well.
func (b *Bound) Execute(words, args []string) error {
	offer, err := b.bind()
	if err != nil {
		return err
	}
	for _, url := range offer.urls() {
		words = append(words, "--host", url)
	}
	command := exec.Command(words[0], append(words[1:], args...)...)
	command.Stderr, command.ExtraFiles = os.Stderr, offer.inherited()
	if err := command.Start(); err != nil {
		offer.pluginGone()
		return fmt.Errorf("%s: cannot be started: %w", words[0], err)
	}
	offer.started()
	servers := make(chan *server, 1)
	go func() {
		defer close(servers)
		connected, err := offer.connect()
		if err != nil {
			return
		}
		started := serve(b.registry, connected)
		servers <- started
		endAfterProblem(started, command.Process)
	}()
	var report []string
	if err := command.Wait(); err != nil {
		report = append(report, "the plugin "+describe(err))
	}
	offer.pluginGone()
	select {
	case started := <-servers:
		if problem := started.waitForProblem(drainTime); problem != nil {
			report = append(report, problem.Error())
		}
	case <-time.After(drainTime):
	}
	if report != nil {
		return errors.New(strings.Join(report, "; "))
	}
	return nil
}

// waitForProblem waits until nothing more is read, and tells what was wrong with the requests.
func (s *server) waitForProblem(timeout time.Duration) error {
	if s == nil {
		return nil
	}
	select {
	case <-s.readAll:
		return s.problem
	case <-time.After(timeout):
		return nil
	}
}

// endAfterProblem kills a plugin that does not end although its connection was ended for a malformed request.
func endAfterProblem(started *server, plugin *os.Process) {
	<-started.readAll
	if started.problem != nil {
		time.AfterFunc(endTime, func() { plugin.Kill() })
	}
}

// describe says how a process ended.
func describe(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return fmt.Sprintf("was killed by signal %d (%v)", status.Signal(), status.Signal())
		}
		return fmt.Sprintf("exited with status %d", exit.ExitCode())
	}
	return err.Error()
}
