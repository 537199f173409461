package connection_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"time"

	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/pyshm/connection"
)

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	l, err := connection.Listen("", &connection.Options{Authkey: []byte("secret")})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	client := exec.Command("python3", "-c", `
import ast, sys
from multiprocessing.connection import Client
with Client(ast.literal_eval(sys.argv[1]), authkey=b"secret") as conn:
    conn.send({"name": "Ada", "scores": [1, 2.5]})
    print("Python received", conn.recv())
`, l.PythonAddress())
	client.Stdout, client.Stderr = os.Stdout, os.Stderr
	if err := client.Start(); err != nil {
		log.Fatal(err)
	}
	conn, err := l.Accept(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	v, err := conn.Recv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Go received", v)
	if err := conn.Send(ctx, pickle.Tuple{"thanks", nil}); err != nil {
		log.Fatal(err)
	}
	if err := client.Wait(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// Go received {'name': 'Ada', 'scores': [1, 2.5]}
	// Python received ('thanks', None)
}

// Go starts a child in Python, which inherits one end.
func ExamplePipe() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, file, err := connection.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	child := exec.Command("python3", "-c", `
from multiprocessing.connection import Connection
conn = Connection(3)
while True:
    try:
        conn.send(conn.recv() * 2)
    except EOFError:
        break
`)
	child.ExtraFiles = []*os.File{file} // descriptor 3 and up
	err = child.Start()
	file.Close()
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range []any{21, "ab"} {
		if err := conn.Send(ctx, v); err != nil {
			log.Fatal(err)
		}
		doubled, err := conn.Recv(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(doubled)
	}
	conn.Close()
	if err := child.Wait(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 42
	// abab
}
