// Go makes a dataframe, and Python groups its rows. Both tables are Arrow files in shared
// memory, which the other side reads in place.
//
// It is for processes that trust each other. arrow-go believes the lengths in a file:
// bytes that another program has made up can end the process by taking all memory, which
// no recover prevents. A plain array of package pyshm does not have this weakness. The
// example is a module of its own because arrow-go requires many modules.
package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/pyshm-go/pyshm/pyshm"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// run makes a table called trades-*. The worker makes one called trades-*-sums.
func run() error {
	trades := makeTrades(1_000_000)
	defer trades.Release()
	shared, err := share("trades-*", trades)
	if err != nil {
		return err
	}
	defer shared.Unlink()
	defer shared.Close()

	worker := exec.Command("python3", "worker.py", shared.Name())
	worker.Stdout, worker.Stderr = os.Stdout, os.Stderr
	if err := worker.Run(); err != nil {
		return err
	}

	sums, err := pyshm.Attach(shared.Name()+"-sums", pyshm.ReadOnly())
	if err != nil {
		return err
	}
	defer sums.Unlink()
	defer sums.Close()
	return read(sums, func(batch arrow.RecordBatch) error {
		symbols, volumes := batch.Column(0).(*array.String), batch.Column(1).(*array.Int64)
		for i := range int(batch.NumRows()) {
			fmt.Println("Go:", symbols.Value(i), volumes.Value(i))
		}
		return nil
	})
}

// makeTrades returns a table of n rows.
func makeTrades(n int) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "symbol", Type: arrow.BinaryTypes.String},
		{Name: "price", Type: arrow.PrimitiveTypes.Float64},
		{Name: "volume", Type: arrow.PrimitiveTypes.Int64},
	}, nil))
	defer b.Release()
	for i := range n {
		b.Field(0).(*array.StringBuilder).Append([]string{"GO", "PY"}[i%2])
		b.Field(1).(*array.Float64Builder).Append(float64(i) / 4)
		b.Field(2).(*array.Int64Builder).Append(int64(i%2 + 1))
	}
	return b.NewRecordBatch()
}
