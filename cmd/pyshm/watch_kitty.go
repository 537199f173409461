package main

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"fmt"
	"strings"
)

// kittyChunk is how much of a picture the protocol allows in one sequence.
const kittyChunk = 4096

// kittyImage returns what draws a picture at the cursor, in the protocol of
// https://sw.kovidgoyal.net/kitty/graphics-protocol/. It takes the place of the picture that
// had its number before. The cursor stays, and the terminal sends no reply.
func kittyImage(p picture, id int) string {
	var packed bytes.Buffer
	z, _ := zlib.NewWriterLevel(&packed, zlib.BestSpeed)
	_, _ = z.Write(p.rgb) // a Buffer takes everything
	_ = z.Close()
	data := base64.StdEncoding.EncodeToString(packed.Bytes())
	var text strings.Builder
	keys := fmt.Sprintf("a=T,f=24,s=%d,v=%d,o=z,i=%d,p=1,C=1,", p.width, p.height, id)
	for ; len(data) > kittyChunk; data = data[kittyChunk:] {
		text.WriteString("\x1b_G" + keys + "q=2,m=1;" + data[:kittyChunk] + stringEnd)
		keys = ""
	}
	text.WriteString("\x1b_G" + keys + "q=2,m=0;" + data + stringEnd)
	return text.String()
}
