package worker

import (
	"context"
	"log/slog"
	"runtime"
	"time"

	"github.com/pyshm-go/pyshm/pyshm/internal/child"
)

// Options set how a pool works. The zero value of a field stands for the default.
type Options struct {
	// Workers is the number of workers. The default is GOMAXPROCS. For calls that take a few
	// microseconds, half as many serve more calls in all, because of Spin.
	Workers int

	// Queue is how many calls may wait for a worker. Further calls fail with [ErrBusy]. The
	// default is 4096.
	Queue int

	// Arena is how many bytes of /dev/shm each worker may have, for arrays and for values on
	// their way. They are taken as they are needed, and kept until the worker ends. The
	// default is 64 MiB. A negative value is for no shared memory at all. On macOS and FreeBSD
	// there is none in any case.
	Arena int

	// Retry is how often a call or job whose worker has crashed is repeated with another
	// worker. The default is not to repeat it: it may have done its work. [WithRetry] sets it
	// for some calls. A call that its worker has not begun is repeated in any case.
	Retry int

	// Spin is how long both sides of a call stay awake for each other before they sleep: Go
	// for the reply, and Python for the next call. To wake a sleeper takes longer than most
	// calls. Both sides stop it while it is in vain, and while other calls or processes need
	// the processors that this process may use; a worker does it after a call only, so an
	// idle pool takes no time of any processor. The default is 100 µs, and the most is 1 ms.
	// A negative value is for none.
	Spin time.Duration

	// Deadline is how long a call may take, from when a worker has it. The default is no
	// limit besides the context.
	Deadline time.Duration

	// Grace is how long a worker may take to end by itself: when its call goes on although
	// the context has ended, and when the pool closes. Then it gets a SIGTERM, and after
	// Grace once more a SIGKILL. The default is 1 second.
	Grace time.Duration

	// StartTimeout is how long a worker may take from its start to its first reply, with all
	// that it imports. The default is 1 minute.
	StartTimeout time.Duration

	// MaxCalls is how many calls a worker may serve before another takes its place. The
	// default is no limit.
	MaxCalls int

	// MaxMemory is how many bytes of its own memory a worker may keep after a call before
	// another takes its place. Shared memory does not count. The default is no limit.
	// On macOS and FreeBSD a limit is refused, with [errors.ErrUnsupported].
	MaxMemory int64

	// Logger gets what happens, and each line that a worker prints: standard output as Info,
	// standard error as Warn. The default is slog.Default(). A command that has Stdout or
	// Stderr keeps it.
	Logger *slog.Logger
}

// checked returns the options with their defaults, or an error if they are refused.
func (o Options) checked() (Options, error) {
	for _, limit := range []struct {
		name  string
		value int64
	}{
		{"Workers", int64(o.Workers)},
		{"Queue", int64(o.Queue)},
		{"Retry", int64(o.Retry)},
		{"Deadline", int64(o.Deadline)},
		{"Grace", int64(o.Grace)},
		{"StartTimeout", int64(o.StartTimeout)},
		{"MaxCalls", int64(o.MaxCalls)},
		{"MaxMemory", o.MaxMemory},
	} {
		if limit.value < 0 {
			return o, invalid("%s %d is negative", limit.name, limit.value)
		}
	}
	if o.MaxMemory > 0 && !child.MeasuresMemory {
		return o, errMemory
	}
	if o.Spin > mostSpin {
		return o, invalid("Spin is %v, and at most %v", o.Spin, mostSpin)
	}
	setDefault(&o.Workers, runtime.GOMAXPROCS(0))
	setDefault(&o.Queue, 4096)
	setDefault(&o.Arena, 64<<20)
	setDefault(&o.Spin, defaultSpin)
	setDefault(&o.Grace, time.Second)
	setDefault(&o.StartTimeout, time.Minute)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o, nil
}

var errMemory = &unsupported{"MaxMemory is for Linux, where /proc has the memory of each process"}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

type retryKey struct{}

// WithRetry returns a context with which a call or job is repeated up to n times when its
// worker crashes, instead of [Options.Retry] times. It is for what may be repeated: what
// changes nothing outside of the worker, or nothing the second time. [Pool.Do] calls its
// function again, with another job.
func WithRetry(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, retryKey{}, n)
}

// retries returns how often a call with the context may be repeated.
func (o *Options) retries(ctx context.Context) int {
	if n, ok := ctx.Value(retryKey{}).(int); ok {
		return n
	}
	return o.Retry
}
