package main

import "testing"

func TestAddressFlag(t *testing.T) {
	for text, want := range map[string]string{
		"/run/app/manager":             "/run/app/manager",
		"'/run/app/manager'":           "/run/app/manager",
		`"/it's/manager"`:              "/it's/manager",
		`'/\udcff\\udcff\'/\uDC80'`:    "/\xff\\udcff'/\x80",
		`"/'\udced\udcb3\udcbf"`:       "/'\xed\xb3\xbf",
		`'\udcff`:                      "",
		`'\udc7f'`:                     "",
		`'\udcff''`:                    "",
		`'/'\udcff'`:                   "",
		`b'\x00\udcff'`:                "",
		"127.0.0.1:0":                  "127.0.0.1:0",
		"('127.0.0.1', 5000)":          "127.0.0.1:5000",
		"('::1', 5000)":                "[::1]:5000",
		"('', 5000)":                   ":5000",
		"@app":                         "@app",
		`b'\x00app'`:                   "@app",
		"build/socket":                 "build/socket",
		"":                             "",
		"''":                           "",
		"'/run":                        "",
		"('127.0.0.1', 5000":           "",
		"('127.0.0.1',)":               "",
		"('127.0.0.1', '5000')":        "",
		"(5000, '127.0.0.1')":          "",
		"('127.0.0.1', 5000, 0)":       "",
		"('127.0.0.1', 5000), 'again'": "",
		"b'app'":                       "",
	} {
		var a addressFlag
		if err := a.Set(text); string(a) != want || (err == nil) != (want != "") {
			t.Errorf("%s is %q, %v; want %q", text, a, err, want)
		}
	}
}
