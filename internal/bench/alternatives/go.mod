module github.com/pyshm-go/pyshm/internal/bench/alternatives

go 1.26.0

require (
	github.com/pyshm-go/pyshm v0.0.0
	github.com/vmihailenco/msgpack/v5 v5.4.1
)

require (
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/pyshm-go/pyshm => ../../..
