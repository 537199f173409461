package main

import (
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/pyshm-go/pyshm/pyshm"
)

// share makes a segment that holds a table as an Arrow file. It copies the columns once.
// The name appears when the file is complete. In Python
//
//	pyarrow.ipc.open_file(pyarrow.memory_map("/dev/shm/NAME")).read_all()
//
// is a table whose columns are the same memory.
func share(name string, table arrow.RecordBatch) (*pyshm.SharedMemory, error) {
	var size counter
	if err := write(&size, table); err != nil {
		return nil, err
	}
	return pyshm.CreateFrom(name, int(size), func(w io.WriterAt) error {
		return write(io.NewOffsetWriter(w, 0), table)
	})
}

func write(w io.Writer, table arrow.RecordBatch) error {
	file, err := ipc.NewFileWriter(w, ipc.WithSchema(table.Schema()))
	if err != nil {
		return err
	}
	if err := file.Write(table); err != nil {
		return err
	}
	return file.Close()
}

// A counter counts the bytes that are written to it.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// read calls f with each batch of the Arrow file in a segment. The columns are the memory
// of the segment, without a copy: f must not keep them.
//
// The file must come from a process that is trusted: see the comment on this program.
// What can be caught is an error: a truncated segment is pyshm.ErrFault, and a panic, of
// arrow-go or of f, becomes an error too. The mapped reader of arrow-go 18.8 panics at
// each file with a dictionary, which is what a categorical column of pandas becomes;
// ipc.NewFileReader reads such a file, and copies it.
// pyarrow compresses feather files unless it is called with compression="uncompressed";
// the columns of such a file are copies.
func read(m *pyshm.SharedMemory, f func(batch arrow.RecordBatch) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("read %s: arrow-go cannot read it: %q", m.Name(), fmt.Sprint(r))
		}
	}()
	return m.WithBytes(func(b []byte) error {
		file, err := ipc.NewMappedFileReader(b)
		if err != nil {
			return err
		}
		defer file.Close()
		for i := range file.NumRecords() {
			batch, err := file.RecordBatch(i)
			if err != nil {
				return err
			}
			if err := f(batch); err != nil {
				return err
			}
		}
		return nil
	})
}
