package testkit

import (
	"os"
	"os/signal"
	"syscall"
)

// heedSignals has the programs that tests start heed signals, although a process under
// nohup, or in the background of a shell script, ignores some of them and passes that on.
func heedSignals() {
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s) // a caught signal has its default in a new program
		}
	}
}
