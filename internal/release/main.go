// Release builds what a release consists of, from the current commit:
//
//	go run ./internal/release VERSION FOLDER
//
// The folder gets an archive of the command for each system, the wheel of pyshm_attach, and
// SHA256SUMS. The same commit and the same Go make the same bytes. An archive has the static
// command, manual pages, completions for shells, pyshm_attach.py, a list of the modules
// in the command (SBOM, as CycloneDX JSON) and their licences.
//
// It needs git, and the tools of scripts/check_scripts.sh for the wheel.
package main

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// targets are the systems that get an archive.
const targets = "linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64 freebsd/amd64 freebsd/arm64"

func main() {
	log.SetFlags(0)
	log.SetPrefix("release: ")
	only := flag.String("targets", targets, "systems and processors, as `\"OS/ARCH OS/ARCH\"`")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: go run ./internal/release [-targets \"OS/ARCH ...\"] VERSION FOLDER")
	}
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), flag.Arg(1), strings.Fields(*only)); err != nil {
		log.Fatal(err)
	}
}

// A release is made from a copy of the current commit, which carries the version as its
// tag, so that the go command records the version in the program.
type release struct {
	version string
	out     string    // the folder for the archives
	source  string    // the copy
	work    string    // for everything else that is temporary
	time    time.Time // of the commit: each file of an archive has it
}

func run(version, out string, targets []string) (err error) {
	work, err := os.MkdirTemp("", "pyshm-release-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	r := release{version: version, work: work, source: filepath.Join(work, "source")}
	if r.out, err = filepath.Abs(out); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	if err := r.copyCommit(); err != nil {
		return err
	}
	if err := r.wheel(); err != nil {
		return err
	}
	common, err := r.commonFiles()
	if err != nil {
		return err
	}
	for _, target := range targets {
		if err := r.archive(target, common); err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
	}
	return r.sums()
}

// copyCommit clones the repository, so that files that are not committed have no effect.
func (r *release) copyCommit() error {
	if _, err := r.command("", nil, "git", "clone", "--quiet", "--no-tags", ".", r.source); err != nil {
		return err
	}
	if _, err := r.command(r.source, nil, "git", "tag", r.version); err != nil {
		return err
	}
	seconds, err := r.command(r.source, nil, "git", "log", "-1", "--format=%ct")
	if err != nil {
		return err
	}
	var n int64
	if _, err := fmt.Sscan(seconds, &n); err != nil {
		return err
	}
	r.time = time.Unix(n, 0).UTC()
	return nil
}

// sums writes the checksums of the files in the folder, as sha256sum does.
func (r *release) sums() error {
	entries, err := os.ReadDir(r.out) // in the order of the names
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, entry := range entries {
		if entry.Name() == "SHA256SUMS" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(r.out, entry.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), entry.Name())
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}
