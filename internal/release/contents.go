package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// sbomTool lists the modules in a program.
const sbomTool = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.9.0"

// command runs a program in a folder and returns its output without the last newline.
func (r *release) command(dir string, env []string, name string, args ...string) (output string, err error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, &complaints)
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// build compiles the command for a target, and returns the path of the program.
func (r *release) build(goos, goarch string) (program string, err error) {
	program = filepath.Join(r.work, goos+"-"+goarch, "pyshm")
	if goos == "windows" {
		program += ".exe"
	}
	env := []string{"CGO_ENABLED=0", "GOOS=" + goos, "GOARCH=" + goarch, "GOFLAGS=", "GOWORK=off"}
	_, err = r.command(r.source, env, "go", "build", "-buildvcs=true", "-trimpath", "-ldflags=-s -w", "-o", program, "./cmd/pyshm")
	return program, err
}

// commonFiles returns the files that all archives have, by name.
func (r *release) commonFiles() (files map[string][]byte, err error) {
	files = map[string][]byte{}
	for name, source := range map[string]string{
		"README.md": "README.md", "CHANGELOG.md": "CHANGELOG.md", "LICENSE": "LICENSE",
		"pyshm_attach.py": "scripts/pyshm_attach.py",
	} {
		if files[name], err = os.ReadFile(filepath.Join(r.source, source)); err != nil {
			return nil, err
		}
	}
	program, err := r.build(runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		text, err := r.command("", nil, program, "completion", shell)
		if err != nil {
			return nil, err
		}
		files["completions/pyshm."+strings.Replace(shell, "powershell", "ps1", 1)] = []byte(text + "\n")
	}
	pages := filepath.Join(r.work, "man")
	if _, err := r.command("", nil, program, "man", pages); err != nil {
		return nil, err
	}
	return files, readFolder(files, "man/", pages)
}

// readFolder adds the files of a folder without subfolders.
func readFolder(files map[string][]byte, prefix, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			return err
		}
		files[prefix+entry.Name()] = content
	}
	return nil
}

var licenseFile = regexp.MustCompile(`^(?i:licen[cs]e|copying|notice|patents)`)

// licences returns the licences of the modules in a program, and of Go's own library.
func (r *release) licences(program string) (files map[string][]byte, err error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	root, err := r.command(r.source, nil, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	folders := map[string]string{"go": root}
	for _, module := range info.Deps {
		folder, err := r.command(r.source, nil, "go", "list", "-m", "-f", "{{.Dir}}", module.Path)
		if err != nil {
			return nil, err
		}
		folders[module.Path+"@"+module.Version] = folder
	}
	files = map[string][]byte{}
	for module, folder := range folders {
		before := len(files)
		entries, err := os.ReadDir(folder)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if entry.IsDir() || !licenseFile.MatchString(entry.Name()) {
				continue
			}
			if files["licences/"+module+"/"+entry.Name()], err = os.ReadFile(filepath.Join(folder, entry.Name())); err != nil {
				return nil, err
			}
		}
		if len(files) == before {
			return nil, fmt.Errorf("%s has no licence in %s", module, folder)
		}
	}
	return files, nil
}

// sbom lists the modules in a program, without the time at which it did so.
func (r *release) sbom(program string) ([]byte, error) {
	text, err := r.command(r.source, nil, "go", "run", sbomTool, "bin", "-json", "-noserial", "-std", "-version", r.version, program)
	if err != nil {
		return nil, err
	}
	var bom map[string]any
	if err := json.Unmarshal([]byte(text), &bom); err != nil {
		return nil, err
	}
	if metadata, ok := bom["metadata"].(map[string]any); ok {
		delete(metadata, "timestamp")
	}
	return json.MarshalIndent(bom, "", "  ")
}

// wheel builds the wheel of pyshm_attach, which has to have the version of the release.
func (r *release) wheel() error {
	python, err := filepath.Abs(".interpreters/tools/bin/python")
	if err != nil {
		return err
	}
	wheels := filepath.Join(r.work, "wheels")
	_, err = r.command(r.source, []string{fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.time.Unix())},
		python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, "./scripts")
	if err != nil {
		return fmt.Errorf("%w\nscripts/check_scripts.sh brings the tools", err)
	}
	name := "pyshm_attach-" + pythonVersion(r.version) + "-py3-none-any.whl"
	wheel, err := os.ReadFile(filepath.Join(wheels, name))
	if err != nil {
		return fmt.Errorf("__version__ in pyshm_attach.py is not %s: %w", pythonVersion(r.version), err)
	}
	return os.WriteFile(filepath.Join(r.out, name), wheel, 0o644)
}

// pythonVersion returns a version as Python writes it: 0.1.0.dev0 for v0.1.0-dev.0, and
// 0.1.0rc1 for v0.1.0-rc.1.
func pythonVersion(version string) string {
	return strings.NewReplacer("-dev.", ".dev", "-rc.", "rc").Replace(strings.TrimPrefix(version, "v"))
}
