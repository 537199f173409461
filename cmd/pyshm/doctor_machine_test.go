package main

import (
	"bufio"
	"strings"
	"testing"
	"testing/fstest"
)

func filesOf(files map[string]string) fstest.MapFS {
	root := fstest.MapFS{}
	for name, content := range files {
		root[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return root
}

func TestRemovesIPC(t *testing.T) {
	for _, test := range []struct {
		files  map[string]string
		remove bool
		file   string
	}{
		{nil, true, "the default"},
		{map[string]string{"etc/systemd/logind.conf": "[Login]\n#RemoveIPC=no\n"}, true, "the default"},
		{map[string]string{"etc/systemd/logind.conf": "[Login]\nRemoveIPC=no\n"}, false, "/etc/systemd/logind.conf"},
		{map[string]string{
			"etc/systemd/logind.conf":                 "RemoveIPC=no",
			"usr/lib/systemd/logind.conf.d/50-a.conf": " RemoveIPC = Yes ",
		}, true, "/usr/lib/systemd/logind.conf.d/50-a.conf"},
		{map[string]string{ // the file in /etc takes the place of its namesake
			"etc/systemd/logind.conf.d/50-a.conf":     "RemoveIPC=off",
			"usr/lib/systemd/logind.conf.d/50-a.conf": "RemoveIPC=1",
		}, false, "/etc/systemd/logind.conf.d/50-a.conf"},
	} {
		if remove, file := removesIPC(filesOf(test.files)); remove != test.remove || file != test.file {
			t.Errorf("%v: %v, %s; want %v, %s", test.files, remove, file, test.remove, test.file)
		}
	}
}

// diagnose returns the output of a look.
func diagnose(look func(*diagnosis)) string {
	var out strings.Builder
	look(&diagnosis{out: bufio.NewWriter(&out), width: 1000})
	return out.String()
}

func TestRemoveIPCFinding(t *testing.T) {
	booted := filesOf(map[string]string{"run/systemd/system/x": ""})
	for _, test := range []struct {
		root fstest.MapFS
		uid  int
		want string
	}{
		{nil, 1000, ""}, {booted, 999, "ok "}, {booted, 1000, "look "},
	} {
		got := diagnose(func(d *diagnosis) { d.removeIPC(test.root, test.uid) })
		if !strings.HasPrefix(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("user %d: %q, want %q", test.uid, got, test.want)
		}
	}
}

// TestMemoryLimit looks for the limit in the group of this process and in the groups
// around it.
func TestMemoryLimit(t *testing.T) {
	if _, err := memoryState(); err != nil {
		t.Skip(err)
	}
	for file, want := range map[string]string{
		"sys/fs/cgroup/a/b/memory.max": "group's limit of 4 KiB,",
		"sys/fs/cgroup/memory.max":     "group's limit of 4 KiB,",
		"sys/fs/cgroup/c/memory.max":   "",
	} {
		root := filesOf(map[string]string{"proc/self/cgroup": "1:cpu:/c\n0::/a/b\n", file: "4096\n", "sys/fs/cgroup/a/memory.max": "max\n"})
		got := diagnose(func(d *diagnosis) { d.memoryLimit(root) })
		if !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}

func TestPythonOptions(t *testing.T) {
	for args, want := range map[string]string{
		"worker.py -I":                      "",
		"-u -X dev -Wignore -m module -I":   "-u -X dev -Wignore",
		"-Ic code":                          "-I",
		"--check-hash-based-pycs always -S": "--check-hash-based-pycs always -S",
		"-u -- x":                           "-u",
		"-OO -":                             "-OO",
	} {
		if got := strings.Join(pythonOptions(strings.Fields(args)), " "); got != want {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
}
