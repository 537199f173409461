package descriptor

// noSignal is 0 on macOS, which has MSG_NOSIGNAL since version 12 only. Go ignores a SIGPIPE
// that no program has asked for by signal.Notify.
const noSignal = 0
