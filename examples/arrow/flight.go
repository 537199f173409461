package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// rowsAtOnce limits the size of a message. The receiver has a limit, too: 4 MiB in Go,
// unless it is changed by grpc.MaxCallRecvMsgSize.
const rowsAtOnce = 64 << 10

// exchange sends a table to a Flight server, and calls f with each batch of the table that
// comes back. f must not keep it.
//
// Nothing is encrypted, and any client can connect. Between machines that do not share a
// trusted network, both sides need TLS and a token, which Flight has.
func exchange(ctx context.Context, address string, table arrow.RecordBatch, f func(batch arrow.RecordBatch) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream after an error
	client, err := flight.NewClientWithMiddlewareCtx(ctx, address, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer client.Close()
	stream, err := client.DoExchange(ctx)
	if err != nil {
		return err
	}
	// EOF means that the server has ended the call: the reader gets its reason.
	if err := send(stream, table); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	reply, err := flight.NewRecordReader(stream)
	if err != nil {
		return fmt.Errorf("exchange with %s: %w", address, err)
	}
	defer reply.Release()
	for reply.Next() {
		if err := f(reply.RecordBatch()); err != nil {
			return err
		}
	}
	return reply.Err()
}

// send sends a table in parts, and says that nothing more will come.
func send(stream flight.FlightService_DoExchangeClient, table arrow.RecordBatch) error {
	w := flight.NewRecordWriter(stream, ipc.WithSchema(table.Schema()))
	w.SetFlightDescriptor(&flight.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: []byte("sums")})
	for from := int64(0); from < table.NumRows(); from += rowsAtOnce {
		part := table.NewSlice(from, min(from+rowsAtOnce, table.NumRows()))
		err := w.Write(part)
		part.Release()
		if err != nil {
			return errors.Join(err, w.Close())
		}
	}
	return errors.Join(w.Close(), stream.CloseSend())
}
