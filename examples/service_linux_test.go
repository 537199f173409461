package examples

import (
	"bufio"
	"bytes"
	"image"
	"image/color"
	"image/png"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// TestService kills the workers of the service again and again while clients send pictures.
// No request fails, and at the end no worker is left.
func TestService(t *testing.T) {
	service, url := startService(t)
	var requests atomic.Int64
	var clients sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					blurOne(t, url+"/blur")
					requests.Add(1)
				}
			}
		})
	}
	kills := soak.Length(1, 300)
	var killed []int
	for len(killed) < kills {
		time.Sleep(20 * time.Millisecond)
		if workers := children(t, service.Process.Pid); len(workers) == 2 {
			victim := workers[len(killed)%2]
			testkit.Check(t, syscall.Kill(victim, syscall.SIGKILL))
			killed = append(killed, victim)
			last := requests.Load()
			testkit.Eventually(t, "more requests", func() bool { return requests.Load() > last+10 || t.Failed() })
		}
	}
	close(stop)
	clients.Wait()
	metrics := get(t, url+"/metrics")
	t.Logf("%d requests, %d kills\n%s", requests.Load(), kills, metrics)

	// Both workers are killed in the middle of a request.
	stopped, reply := blurWhileStopped(t, service, url, killed)
	signalAll(t, stopped, syscall.SIGKILL)
	<-reply

	// SIGTERM comes in the middle of a request, which is completed.
	stopped, reply = blurWhileStopped(t, service, url, append(killed, stopped...))
	testkit.Check(t, service.Process.Signal(syscall.SIGTERM))
	testkit.Eventually(t, "no more connections", func() bool {
		connection, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err == nil {
			connection.Close()
		}
		return err != nil
	})
	signalAll(t, stopped, syscall.SIGCONT)
	<-reply
	testkit.Check(t, service.Wait())
	for _, pid := range stopped {
		testkit.WaitForEnd(t, pid)
	}
}

// blurWhileStopped waits until others have taken the place of killed workers, stops them,
// and sends a picture, which one of them gets. The channel is closed when the reply has come.
func blurWhileStopped(t *testing.T, service *exec.Cmd, url string, killed []int) (workers []int, reply chan struct{}) {
	t.Helper()
	testkit.Eventually(t, "two workers", func() bool {
		workers = children(t, service.Process.Pid)
		replaced := !slices.ContainsFunc(workers, func(pid int) bool { return slices.Contains(killed, pid) })
		return len(workers) == 2 && replaced && strings.Contains(get(t, url+"/metrics"), "worker_up 2\n")
	})
	signalAll(t, workers, syscall.SIGSTOP)
	reply = make(chan struct{})
	go func() { defer close(reply); blurOne(t, url+"/blur") }()
	testkit.Eventually(t, "a busy worker", func() bool { return strings.Contains(get(t, url+"/metrics"), "worker_busy 1\n") })
	return workers, reply
}

func signalAll(t *testing.T, pids []int, sig syscall.Signal) {
	t.Helper()
	for _, pid := range pids {
		testkit.Check(t, syscall.Kill(pid, sig))
	}
}

// startService starts the example with an interpreter that has numpy.
func startService(t *testing.T) (service *exec.Cmd, url string) {
	t.Helper()
	dir := build(t, "service")
	service = exec.CommandContext(t.Context(), filepath.Join(dir, "service"), "127.0.0.1:0")
	service.Dir, service.Env = "..", envWithPython(t, dir, numpyPython(t).Path, "")
	var log bytes.Buffer
	service.Stderr = &log
	out := testkit.Must(service.StdoutPipe())(t)
	testkit.Check(t, service.Start())
	t.Cleanup(func() {
		if service.ProcessState == nil {
			service.Process.Kill()
			service.Wait()
		}
		if t.Failed() {
			t.Log(log.String())
		}
	})
	line, _ := bufio.NewReader(out).ReadString('\n')
	_, url, found := strings.Cut(strings.TrimSpace(line), "http://")
	if !found {
		t.Fatalf("the service printed %q", line)
	}
	return service, "http://" + strings.TrimSuffix(url, "/blur")
}

// blurOne sends a black picture with a white pixel, and looks at the pixel.
func blurOne(t *testing.T, url string) {
	picture := image.NewGray(image.Rect(0, 0, 64, 48))
	picture.SetGray(10, 20, color.Gray{Y: 180})
	var body bytes.Buffer
	if err := png.Encode(&body, picture); err != nil {
		t.Error(err)
		return
	}
	reply, err := http.Post(url, "image/png", &body)
	if err != nil {
		t.Error(err)
		return
	}
	defer reply.Body.Close()
	blurred, err := png.Decode(reply.Body)
	if err != nil || blurred.At(9, 21) != any(color.Gray{Y: 20}) {
		t.Errorf("status %v, %v: not the blurred picture", reply.Status, err)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	reply, err := http.Get(url)
	testkit.Check(t, err)
	defer reply.Body.Close()
	return string(testkit.Must(io.ReadAll(reply.Body))(t))
}

// children returns the processes that a process has started.
func children(t *testing.T, pid int) (pids []int) {
	t.Helper()
	tasks := testkit.Must(filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children"))(t)
	for _, task := range tasks {
		text, _ := os.ReadFile(task) // the thread may have ended
		for _, field := range strings.Fields(string(text)) {
			pids = append(pids, testkit.Must(strconv.Atoi(field))(t))
		}
	}
	return pids
}
