package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	folderOf = map[string][]byte{"pyshm": []byte("program"), "man/pyshm.1": []byte(".TH"), "LICENSE": nil}
	commitAt = time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)
)

// An entry is what a reader of an archive sees of a file.
type entry struct {
	Name     string
	Mode     int64
	Modified time.Time
	Content  string
}

var entries = []entry{
	{"v/LICENSE", 0o644, commitAt, ""},
	{"v/man/pyshm.1", 0o644, commitAt, ".TH"},
	{"v/pyshm", 0o755, commitAt, "program"},
}

// TestPackTar: an archive has the files in order, with nothing of the machine in it.
func TestPackTar(t *testing.T) {
	packed := packTwice(t, packTar)
	unzipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(unzipped)
	var got []entry
	for {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		content, errRead := io.ReadAll(archive)
		if err != nil || errRead != nil {
			t.Fatal(err, errRead)
		}
		if h.Uid != 0 || h.Uname != "" {
			t.Errorf("%s belongs to %d %q", h.Name, h.Uid, h.Uname)
		}
		got = append(got, entry{h.Name, h.Mode, h.ModTime.UTC(), string(content)})
	}
	if diff := cmp.Diff(entries, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPackZip(t *testing.T) {
	packed := packTwice(t, packZip)
	archive, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	var got []entry
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, entry{f.Name, int64(f.Mode()), f.Modified.UTC(), string(content)})
	}
	if diff := cmp.Diff(entries, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// packTwice packs the files, which a map has in another order each time.
func packTwice(t *testing.T, pack func(string, map[string][]byte, time.Time) ([]byte, error)) []byte {
	t.Helper()
	first, err := pack("v", folderOf, commitAt)
	if err != nil {
		t.Fatal(err)
	}
	second, err := pack("v", folderOf, commitAt)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("the same files were packed into different bytes")
	}
	return first
}

func TestPythonVersion(t *testing.T) {
	for version, want := range map[string]string{
		"v0.1.0": "0.1.0", "v1.20.3-dev.0": "1.20.3.dev0", "v0.1.0-rc.12": "0.1.0rc12",
	} {
		if got := pythonVersion(version); got != want {
			t.Errorf("%s: %s, want %s", version, got, want)
		}
	}
}
