package address

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	longest := "/" + strings.Repeat("n", maxSocketPath-1)
	for s, want := range map[string]struct {
		Address
		python string
	}{
		"/run/app/sock":               {Address{"unix", "/run/app/sock"}, "'/run/app/sock'"},
		"./sock":                      {Address{"unix", "./sock"}, "'./sock'"},
		"/tmp/it's:5000":              {Address{"unix", "/tmp/it's:5000"}, `"/tmp/it's:5000"`},
		`/"it's"/\`:                   {Address{"unix", `/"it's"/\`}, `'/"it\'s"/\\'`},
		"/\x01\u00e9\u00ad\U0010ffff": {Address{"unix", "/\x01\u00e9\u00ad\U0010ffff"}, `'/\x01é\xad\U0010ffff'`},
		"/'\xff\xed\xb3\xbf":          {Address{"unix", "/'\xff\xed\xb3\xbf"}, `"/'\udcff\udced\udcb3\udcbf"`},
		"@app":                        {Address{"unix", "@app"}, `b'\x00app'`},
		"@app/sock:1":                 {Address{"unix", "@app/sock:1"}, `b'\x00app/sock:1'`},
		"127.0.0.1:5000":              {Address{"tcp", "127.0.0.1:5000"}, "('127.0.0.1', 5000)"},
		"localhost:0":                 {Address{"tcp", "localhost:0"}, "('localhost', 0)"},
		":5000":                       {Address{"tcp", ":5000"}, "('', 5000)"},
		"[::]:5000":                   {Address{"tcp", "[::]:5000"}, "('', 5000)"},
		"[::1]:5000":                  {Address{"tcp", "[::1]:5000"}, "('::1', 5000)"},
		longest:                       {Address{"unix", longest}, "'" + longest + "'"},
	} {
		got, err := Parse(s)
		if want.Network == "unix" && (checkUnix() != nil || s[0] == '@' && !hasAbstract) {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%q: %v", s, err)
			}
			continue
		}
		if err != nil || got != want.Address || got.Python() != want.python {
			t.Errorf("%q: %v %s, %v", s, got, got.Python(), err)
		}
	}
	if _, err := Parse(`\\.\pipe\pyc-1-0-x`); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a named pipe: %v", err)
	}
	for _, s := range []string{
		"", "sock", "localhost", "localhost:", "localhost:http", "localhost:65536", "1:2:3", ":-1",
		"\x00app", "/tmp/a\x00b", longest + "n", "@" + longest,
	} {
		if got, err := Parse(s); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
}
