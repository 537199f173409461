package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// archive writes the archive of a target: a zip for Windows, a tar.gz for the others.
func (r *release) archive(target string, common map[string][]byte) error {
	goos, goarch, _ := strings.Cut(target, "/")
	program, err := r.build(goos, goarch)
	if err != nil {
		return err
	}
	files, err := r.licences(program)
	if err != nil {
		return err
	}
	maps.Copy(files, common)
	if files["sbom.cdx.json"], err = r.sbom(program); err != nil {
		return err
	}
	if files[filepath.Base(program)], err = os.ReadFile(program); err != nil {
		return err
	}
	folder := "pyshm_" + strings.TrimPrefix(r.version, "v") + "_" + goos + "_" + goarch
	pack, suffix := packTar, ".tar.gz"
	if goos == "windows" {
		pack, suffix = packZip, ".zip"
	}
	packed, err := pack(folder, files, r.time)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, folder+suffix), packed, 0o644)
}

// mode returns the mode of a file in an archive: only the command is executable.
func mode(name string) fs.FileMode {
	if name == "pyshm" || name == "pyshm.exe" {
		return 0o755
	}
	return 0o644
}

// packTar returns a tar.gz that has the files in a folder. Nothing in it depends on the
// user, the machine or the time at which it is made.
func packTar(folder string, files map[string][]byte, modified time.Time) ([]byte, error) {
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		err := archive.WriteHeader(&tar.Header{
			Name: folder + "/" + name, Mode: int64(mode(name)), Size: int64(len(files[name])),
			ModTime: modified, Format: tar.FormatPAX,
		})
		if err != nil {
			return nil, err
		}
		if _, err := archive.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	err := zipped.Close()
	return packed.Bytes(), err
}

// packZip does the same as a zip.
func packZip(folder string, files map[string][]byte, modified time.Time) ([]byte, error) {
	var packed bytes.Buffer
	archive := zip.NewWriter(&packed)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := &zip.FileHeader{Name: folder + "/" + name, Method: zip.Deflate, Modified: modified}
		header.SetMode(mode(name))
		w, err := archive.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, err
		}
	}
	err := archive.Close()
	return packed.Bytes(), err
}
