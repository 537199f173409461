//go:build linux

package main

import (
	"fmt"
	"runtime"
	"strings"
)

const (
	numpyInPlace  = "list, numpy, in place"
	copiedByOne   = "array, copied in and out"
	arrayInPlace  = "array, in place"
	rawJoined     = "socket, recv and join"
	rawInto       = "socket, recv_into"
	fedMsgpack    = "socket, msgpack, Unpacker.feed"
	framedMsgpack = "socket, msgpack, recv_into"
	callCopied    = "worker call, copied in and out"
)

func tables() []table {
	all := []table{newTable("1 int", 1, arrayInPlace, setting{}, handovers())}
	if runtime.NumCPU() > 1 {
		all = append(all, newTable("1 int, pinned", 1, arrayInPlace, setting{pinned: true}, handovers()))
	}
	all = append(all,
		newTable("10 ints", 10, numpyInPlace, setting{}, lists()),
		newTable("10,000 ints", 10_000, numpyInPlace, setting{}, lists()),
	)
	all = append(all, newTable(numbers, 150_000, copiedByOne, setting{}, numberArrays()))
	for _, size := range []struct {
		name  string
		bytes int
	}{{"1 KB", 1 << 10}, {"64 KB", 64 << 10}, {"1.2 MB", 1_200_000}, {"6.2 MB", frameBytes}, {"8 MB", 8 << 20}, {"64 MB", 64 << 20}} {
		all = append(all, newTable("array of "+size.name, size.bytes, copiedByOne, setting{}, arrays()))
		if runtime.NumCPU() > 1 && size.bytes <= 8<<20 {
			all = append(all, newTable("array of "+size.name+", pinned", size.bytes, copiedByOne, setting{pinned: true}, arraysPinned()))
		}
	}
	if runtime.NumCPU() > 1 {
		all = append(all, newTable(frame+", pinned", frameBytes, copiedByOne, setting{fromPython: true, pinned: true}, framesPinned()))
	}
	return append(all, newTable(frame, frameBytes, copiedByOne, setting{fromPython: true}, frames()))
}

const frameBytes = 1080 * 1920 * 3

const frame = "frame of 6.2 MB, from Python"

// numbers is an array that msgpack gets as an array of numbers, as its libraries encode a
// slice and a list unless a program makes bytes of them.
const numbers = "1.2 MB of ints"

// handovers pass as little as possible.
func handovers() []way[int64] {
	return []way[int64]{
		{name: "socket", open: overSocket("SocketInto", viaBytes[int64])},
		{name: "pipe", open: overPipes[int64]},
		{name: arrayInPlace, open: inArray[int64]("Shared", false)},
		{name: "array, semaphores, spinning", open: inArray[int64]("Shared", true)},
		{name: "array, watched", open: inWatchedArray[int64]},
	}
}

func lists() []way[int64] {
	return []way[int64]{
		{name: "socket, JSON", open: overSocket("Json", viaJSON[int64])},
		{name: fedMsgpack, open: overSocket("MsgpackFed", viaMsgpack[int64])},
		{name: framedMsgpack, open: overSocket("MsgpackFramed", viaFramedMsgpack[int64])},
		{name: "multiprocessing.connection", open: overConnection[int64]},
		{name: "pipe, struct", open: overPipes[int64]},
		{name: "temporary file", open: overSocket("File", viaFiles[int64])},
		{name: "list, item by item", open: inListItems},
		{name: "list, one item", open: inListItem},
		{name: "list, memoryview.cast", open: inListViewCopied("ListCast")},
		{name: numpyInPlace, open: inListView("ListNumpy")},
		{name: "array, in place, spinning", open: inArray[int64]("Shared", true)},
		{name: "worker call, list", open: byCall},
		{name: "worker call, array in place", open: byJob[int64]},
	}
}

func numberArrays() []way[int64] {
	return []way[int64]{
		{name: fedMsgpack, open: overSocket("MsgpackFed", viaMsgpack[int64])},
		{name: framedMsgpack, open: overSocket("MsgpackFramed", viaFramedMsgpack[int64])},
		{name: copiedByOne, open: inArrayCopied[int64]("Shared")},
		{name: callCopied, open: byJobCopied[int64]},
	}
}

func arrays() []way[byte] {
	return append(messages(),
		way[byte]{name: copiedByOne, open: inArrayCopied[byte]("Shared")},
		way[byte]{name: arrayInPlace, open: inArray[byte]("Shared", false)},
		way[byte]{name: "array, in place, spinning", open: inArray[byte]("Shared", true)},
		way[byte]{name: callCopied, open: byJobCopied[byte]},
		way[byte]{name: "worker call, in place", open: byJob[byte]},
	)
}

// arraysPinned are the ways that a call of a worker is compared with.
func arraysPinned() (ways []way[byte]) {
	for _, w := range arrays() {
		switch w.name {
		case fedMsgpack, framedMsgpack, rawInto, copiedByOne, callCopied:
			ways = append(ways, w)
		}
	}
	return ways
}

func frames() []way[byte] {
	return append(messages(),
		way[byte]{name: "array, copied by both", open: inArrayCopied[byte]("SharedCopied")},
		way[byte]{name: copiedByOne, open: inArray[byte]("SharedCopied", false)},
		way[byte]{name: arrayInPlace, open: inArray[byte]("Shared", false)},
		way[byte]{name: "array, in place, spinning", open: inArray[byte]("Shared", true)},
		way[byte]{name: "array, in place, watched", open: inWatchedArray[byte]},
	)
}

func framesPinned() (ways []way[byte]) {
	for _, w := range frames() {
		if strings.HasPrefix(w.name, "array") || w.name == rawInto {
			ways = append(ways, w)
		}
	}
	return ways
}

func messages() []way[byte] {
	return []way[byte]{
		{name: "socket, JSON, base64", open: overSocket("Json", viaJSON[byte]), most: 8 << 20},
		{name: fedMsgpack, open: overSocket("MsgpackFed", viaMsgpack[byte])},
		{name: framedMsgpack, open: overSocket("MsgpackFramed", viaFramedMsgpack[byte])},
		{name: "multiprocessing.connection", open: overConnection[byte]},
		{name: "pipe", open: overPipes[byte]},
		{name: "temporary file", open: overSocket("File", viaFiles[byte])},
		{name: rawJoined, open: overSocket("SocketJoined", viaBytes[byte])},
		{name: rawInto, open: overSocket("SocketInto", viaBytes[byte])},
	}
}

// A goal is how many times longer one way should take than another, or at most takes.
type goal struct {
	table, slow, fast string
	atLeast, atMost   float64
}

func goals() []goal {
	gs := []goal{
		{frame, rawJoined, copiedByOne, 5, 0},
		{frame, rawInto, copiedByOne, 5, 0},
		{frame, fedMsgpack, copiedByOne, 20, 0},
		{frame, framedMsgpack, copiedByOne, 20, 0},
		{frame, rawJoined, "array, in place, spinning", 100, 0},
		{frame, rawInto, "array, in place, spinning", 100, 0},
		{numbers, fedMsgpack, callCopied, 20, 0},
		{numbers, framedMsgpack, callCopied, 20, 0},
	}
	for i, size := range []string{"1 KB", "64 KB", "1.2 MB", "8 MB"} {
		for _, slow := range []string{fedMsgpack, framedMsgpack} {
			for _, table := range []string{"array of " + size, "array of " + size + ", pinned"} {
				gs = append(gs, goal{table, slow, callCopied, []float64{4, 9, 20, 5}[i], 0})
			}
		}
		gs = append(gs, goal{"array of " + size, callCopied, copiedByOne, 0, 1.5})
	}
	return gs
}

func (g goal) String() string { return fmt.Sprintf("%s: %s / %s", g.table, g.slow, g.fast) }
