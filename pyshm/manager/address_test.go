package manager

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for s, want := range map[string]struct {
		address
		python string
	}{
		"/run/app/sock":                {address{"unix", "/run/app/sock"}, "'/run/app/sock'"},
		"./sock":                       {address{"unix", "./sock"}, "'./sock'"},
		"/tmp/it's:5000":               {address{"unix", "/tmp/it's:5000"}, `"/tmp/it's:5000"`},
		`/"it's"/\`:                    {address{"unix", `/"it's"/\`}, `'/"it\'s"/\\'`},
		"/\x01\u00e9\u00ad\U0010ffff":  {address{"unix", "/\x01\u00e9\u00ad\U0010ffff"}, `'/\x01é\xad\U0010ffff'`},
		"/'\xff\xed\xb3\xbf":           {address{"unix", "/'\xff\xed\xb3\xbf"}, `"/'\udcff\udced\udcb3\udcbf"`},
		"@app":                         {address{"unix", "@app"}, `b'\x00app'`},
		"@app/sock:1":                  {address{"unix", "@app/sock:1"}, `b'\x00app/sock:1'`},
		"127.0.0.1:5000":               {address{"tcp", "127.0.0.1:5000"}, "('127.0.0.1', 5000)"},
		"localhost:0":                  {address{"tcp", "localhost:0"}, "('localhost', 0)"},
		":5000":                        {address{"tcp", ":5000"}, "('', 5000)"},
		"[::]:5000":                    {address{"tcp", "[::]:5000"}, "('', 5000)"},
		"[::1]:5000":                   {address{"tcp", "[::1]:5000"}, "('::1', 5000)"},
		"/" + strings.Repeat("n", 106): {address{"unix", "/" + strings.Repeat("n", 106)}, "'/" + strings.Repeat("n", 106) + "'"},
	} {
		got, err := parseAddress(s)
		if err != nil || got != want.address || got.python() != want.python {
			t.Errorf("%q: %v %s, %v", s, got, got.python(), err)
		}
	}
	for _, s := range []string{
		"", "sock", "localhost", "localhost:", "localhost:http", "localhost:65536", "1:2:3", ":-1",
		"\x00app", "/tmp/a\x00b", "/" + strings.Repeat("n", 107), "@" + strings.Repeat("n", 107),
	} {
		if got, err := parseAddress(s); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
}
