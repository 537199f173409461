package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A hostedRun is a machine of the hosted workflow that runs the tests.
type hostedRun struct {
	target
	machine string   // its label, or its system and release
	pythons []string // minor versions
	command string
}

// A job has the parts of a job of the workflow that say what it tests.
type job struct {
	RunsOn   string `yaml:"runs-on"`
	Strategy struct {
		Matrix yaml.Node
	}
	Steps []step
}

type step struct {
	If, Uses, Run string
	With          map[string]string
}

// hostedRuns returns the machines in the order of the workflow.
func hostedRuns(workflow []byte) ([]hostedRun, error) {
	var file struct{ Jobs yaml.Node }
	if err := yaml.Unmarshal(workflow, &file); err != nil {
		return nil, err
	}
	if file.Jobs.Kind != yaml.MappingNode {
		return nil, errors.New("it has no jobs")
	}
	var runs []hostedRun
	for i := 0; i < len(file.Jobs.Content); i += 2 {
		name := file.Jobs.Content[i].Value
		var j job
		if err := file.Jobs.Content[i+1].Decode(&j); err != nil {
			return nil, fmt.Errorf("job %s: %w", name, err)
		}
		machines, err := combinations(j.Strategy.Matrix)
		if err != nil {
			return nil, fmt.Errorf("job %s: %w", name, err)
		}
		for _, machine := range machines {
			run, ok, err := j.run(machine)
			if err != nil {
				return nil, fmt.Errorf("job %s: %w", name, err)
			}
			if ok {
				runs = append(runs, run)
			}
		}
	}
	return runs, nil
}

// combinations returns the values of a matrix, which has lists or includes, not both. A
// job without a matrix has one machine.
func combinations(matrix yaml.Node) ([]map[string]string, error) {
	if matrix.IsZero() {
		return []map[string]string{{}}, nil
	}
	var includes struct{ Include []map[string]string }
	if matrix.Decode(&includes) == nil && len(includes.Include) > 0 {
		if len(matrix.Content) > 2 {
			return nil, errors.New("its matrix has lists and includes")
		}
		return includes.Include, nil
	}
	all := []map[string]string{{}}
	for i := 0; i < len(matrix.Content); i += 2 {
		var values []string
		if err := matrix.Content[i+1].Decode(&values); err != nil {
			return nil, err
		}
		var longer []map[string]string
		for _, one := range all {
			for _, value := range values {
				more := map[string]string{matrix.Content[i].Value: value}
				for k, v := range one {
					more[k] = v
				}
				longer = append(longer, more)
			}
		}
		all = longer
	}
	return all, nil
}

var (
	testCommand  = regexp.MustCompile(`(?m)^\s*(?:bash )?(\.ci/run|go test .*?)\s*$`)
	packaged     = regexp.MustCompile(`\bpython3-?\.?([0-9]+)\b`) // the package of a system
	virtual      = regexp.MustCompile(`^vmactions/([a-z]+)-vm@`)
	minorVersion = regexp.MustCompile(`[0-9]+\.[0-9]+`)
)

// run returns what a machine of the job tests. ok is false if it runs no tests.
func (j job) run(matrix map[string]string) (run hostedRun, ok bool, err error) {
	for _, s := range j.Steps {
		if !s.isFor(matrix) {
			continue
		}
		if strings.HasPrefix(s.Uses, "actions/setup-python@") {
			run.pythons = minorVersion.FindAllString(expand(s.With["python-version"], matrix), -1)
		}
		command := testCommand.FindStringSubmatch(s.Run)
		if command != nil {
			run.machine = expand(j.RunsOn, matrix)
			run.target, err = targetOf(run.machine)
		}
		if vm := virtual.FindStringSubmatch(s.Uses); vm != nil {
			command = testCommand.FindStringSubmatch(s.With["run"])
			run.target = target{vm[1], "amd64"}
			if s.With["arch"] != "" {
				return run, false, fmt.Errorf("the processor %s of a virtual machine is not known", s.With["arch"])
			}
			run.machine = strings.TrimSpace(expand(s.With["release"], matrix))
			for _, python := range packaged.FindAllStringSubmatch(expand(s.With["prepare"], matrix), -1) {
				run.pythons = append(run.pythons, "3."+python[1])
			}
		}
		if err != nil {
			return run, false, err
		}
		if command != nil {
			run.command, ok = command[1], true
		}
	}
	return run, ok, nil
}

var condition = regexp.MustCompile(`^matrix\.([a-z_]+) == '([^']*)'$`)

// isFor reports whether a step is for a machine, as far as the matrix decides it.
func (s step) isFor(matrix map[string]string) bool {
	m := condition.FindStringSubmatch(s.If)
	return m == nil || matrix[m[1]] == m[2]
}

var expression = regexp.MustCompile(`\$\{\{ *matrix\.([a-z_]+) *\}\}`)

func expand(text string, matrix map[string]string) string {
	return expression.ReplaceAllStringFunc(text, func(e string) string {
		return matrix[expression.FindStringSubmatch(e)[1]]
	})
}

// targetOf returns what the machines with a label of the hosting service are.
func targetOf(label string) (target, error) {
	name, rest, _ := strings.Cut(label, "-")
	switch name {
	case "ubuntu", "windows":
		system := map[string]string{"ubuntu": "linux", "windows": "windows"}[name]
		if strings.HasSuffix(rest, "-arm") {
			return target{system, "arm64"}, nil
		}
		return target{system, "amd64"}, nil
	case "macos":
		if strings.HasSuffix(rest, "-intel") {
			return target{"darwin", "amd64"}, nil
		}
		return target{"darwin", "arm64"}, nil
	}
	return target{}, fmt.Errorf("the machines with label %q are not known", label)
}
