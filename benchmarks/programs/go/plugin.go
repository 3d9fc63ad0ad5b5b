package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"

	"github.com/chaitin/libveinmind/go/plugin/service"
)

const batchSeconds = 0.004

var (
	add    func(a, b int64) (int64, error)
	echo   func(text string) (string, error)
	points func(points []Point) ([]Point, error)
	sleep  func(milliseconds int64) (int64, error)
)

// told is one line of the runner; see ../driver.py, which does the same in Python.
type told struct {
	Work    string  `json:"work"`
	Way     string  `json:"way"`
	Seconds float64 `json:"seconds"`
	Callers int     `json:"callers"`
	Count   int     `json:"count"`
	Size    int     `json:"size"`
	Slow    int64   `json:"slow"`
}

func runPlugin(words []string) error {
	flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
	service.AddHostFlags(flags)
	if err := flags.Parse(words); err != nil {
		return err
	}
	for name, target := range map[string]service.Service{
		"add": &add, "echo": &echo, "points": &points, "sleep": &sleep,
	} {
		service.GetService(bench, name, target)
	}
	control, err := net.Dial("unix", flags.Arg(0))
	if err != nil {
		return err
	}
	lines := bufio.NewReader(control)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return nil
		}
		var t told
		if err := json.Unmarshal(line, &t); err != nil {
			return err
		}
		outcome := map[string]interface{}{}
		if result, err := work(t); err != nil {
			outcome["error"] = err.Error()
		} else if result == nil {
			outcome["unsupported"] = "there is no such thing in Go"
		} else {
			outcome["ok"] = result
		}
		data, err := json.Marshal(outcome)
		if err != nil {
			return err
		}
		if _, err := control.Write(append(data, '\n')); err != nil {
			return err
		}
	}
}

func work(t told) (interface{}, error) {
	switch t.Work {
	case "first":
		return true, expectSum(40, 2)
	case "small":
		return timed(t.Seconds, func() error { return expectSum(40, 2) })
	case "callers":
		return callers(t)
	case "many":
		if t.Way == "asyncio" {
			return nil, nil
		}
		return many(t)
	case "echo":
		text := strings.Repeat("0123456789abcdef", t.Size/16+1)[:t.Size]
		return timed(t.Seconds, func() error {
			got, err := echo(text)
			if err == nil && got != text {
				err = fmt.Errorf("%d characters did not come back as they were", len(text))
			}
			return err
		})
	case "typed":
		given := make([]Point, t.Count)
		for i := range given {
			given[i] = Point{int64(i), float64(i) / 4, fmt.Sprintf("point %d", i)}
		}
		return timed(t.Seconds, func() error {
			got, err := points(given)
			if err == nil && len(got) != len(given) {
				err = fmt.Errorf("%d structures came back of %d", len(got), len(given))
			}
			return err
		})
	case "beside":
		return beside(t)
	case "about":
		return about()
	}
	return nil, fmt.Errorf("unknown work %q", t.Work)
}

func expectSum(a, b int64) error {
	sum, err := add(a, b)
	if err == nil && sum != a+b {
		err = fmt.Errorf("%d + %d was %d", a, b, sum)
	}
	return err
}

func timed(seconds float64, call func() error) ([]float64, error) {
	began := time.Now()
	if err := call(); err != nil {
		return nil, err
	}
	once := time.Since(began).Seconds()
	if once >= seconds {
		return []float64{once}, nil
	}
	count := int(batchSeconds / once)
	if count < 1 {
		count = 1
	}
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	var samples []float64
	for len(samples) == 0 || time.Now().Before(end) {
		began := time.Now()
		for i := 0; i < count; i++ {
			if err := call(); err != nil {
				return nil, err
			}
		}
		samples = append(samples, time.Since(began).Seconds()/float64(count))
	}
	return samples, nil
}

func callers(t told) (interface{}, error) {
	var group sync.WaitGroup
	var done int64
	failures := make(chan error, t.Callers)
	began := time.Now()
	end := began.Add(time.Duration(t.Seconds * float64(time.Second)))
	for i := 0; i < t.Callers; i++ {
		index := int64(i)
		group.Add(1)
		go func() {
			defer group.Done()
			for made := int64(0); made == 0 || time.Now().Before(end); made++ {
				if err := expectSum(index, made); err != nil {
					failures <- err
					return
				}
				atomic.AddInt64(&done, 1)
			}
		}()
	}
	group.Wait()
	select {
	case err := <-failures:
		return nil, err
	default:
		return []float64{time.Since(began).Seconds() / float64(done)}, nil
	}
}

func many(t told) (interface{}, error) {
	end := time.Now().Add(time.Duration(t.Seconds * float64(time.Second)))
	var samples []float64
	for len(samples) == 0 || time.Now().Before(end) {
		began := time.Now()
		var group sync.WaitGroup
		failures := make(chan error, t.Count)
		for i := 0; i < t.Count; i++ {
			number := int64(i)
			group.Add(1)
			go func() {
				defer group.Done()
				if err := expectSum(number, 2); err != nil {
					failures <- err
				}
			}()
		}
		group.Wait()
		samples = append(samples, time.Since(began).Seconds()/float64(t.Count))
		select {
		case err := <-failures:
			return nil, err
		default:
		}
	}
	return samples, nil
}

func beside(t told) (interface{}, error) {
	if err := expectSum(1, 1); err != nil {
		return nil, err
	}
	var busy int32
	if t.Slow > 0 {
		busy = 1
		go func() {
			_, _ = sleep(t.Slow)
			atomic.StoreInt32(&busy, 0)
		}()
	}
	end := time.Now().Add(time.Duration(t.Seconds * float64(time.Second)))
	samples := []float64{}
	for time.Now().Before(end) || atomic.LoadInt32(&busy) != 0 {
		began := time.Now()
		if err := expectSum(40, 2); err != nil {
			return nil, err
		}
		samples = append(samples, time.Since(began).Seconds())
	}
	return samples, nil
}

func about() (interface{}, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	numbers := map[string]int64{}
	for _, line := range strings.Split(string(status), "\n") {
		var name string
		var number int64
		if n, _ := fmt.Sscanf(line, "%s %d", &name, &number); n == 2 {
			numbers[strings.TrimSuffix(name, ":")] = number
		}
	}
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	return map[string]int64{
		"pid": int64(os.Getpid()), "rss": numbers["VmRSS"] * 1024, "peak": numbers["VmHWM"] * 1024,
		"threads": numbers["Threads"], "descriptors": int64(len(descriptors)),
	}, nil
}
