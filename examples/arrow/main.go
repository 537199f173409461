// Go makes a dataframe, and pandas groups its rows. On one machine both tables are Arrow
// files in shared memory, which the other side reads in place. With the flag -flight the
// same tables go over the network, to a Python on any machine:
//
//	python3 worker.py --flight 0.0.0.0:8815
//	go run . -flight OTHER-MACHINE:8815
//
// It is for processes that trust each other. arrow-go believes the lengths in a file:
// bytes that another program has made up can end the process by taking all memory, which
// no recover prevents. A plain array of package pyshm does not have this weakness. The
// example is a module of its own because arrow-go requires many modules.
package main

import (
	"context"
	"flag"
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
	address := flag.String("flight", "", "send the table to the Flight server at this `host:port`")
	flag.Parse()
	if err := run(context.Background(), *address); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, address string) error {
	trades := makeTrades(1_000_000)
	defer trades.Release()
	if address != "" {
		return exchange(ctx, address, trades, printSums)
	}
	return inMemory(trades, printSums)
}

// inMemory makes a table called trades-*, and starts a worker, which makes one called
// trades-*-sums.
func inMemory(trades arrow.RecordBatch, f func(batch arrow.RecordBatch) error) error {
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
	return read(sums, f)
}

func printSums(sums arrow.RecordBatch) error {
	if columns := sums.Columns(); len(columns) != 2 || columns[0].DataType().ID() != arrow.STRING || columns[1].DataType().ID() != arrow.INT64 {
		return fmt.Errorf("the columns are not a string and an int64: %v", sums.Schema())
	}
	symbols, volumes := sums.Column(0).(*array.String), sums.Column(1).(*array.Int64)
	for i := range int(sums.NumRows()) {
		fmt.Println("Go:", symbols.Value(i), volumes.Value(i))
	}
	return nil
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
