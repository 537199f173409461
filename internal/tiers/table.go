package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pyshm-go/pyshm/internal/covered"
)

// A row is a row of the table.
type row struct {
	tier     int
	systems  []string
	pythons  []string // "CPython 3.13"
	packages []string // "numpy 2.4"
	what     string
}

// tiers are the texts of the first column. Most is known of the first tier.
var tiers = []string{"in CI, by real Pythons", "in CI, under emulation", "by the hosted workflow", "compiled only"}

// table returns the table of what the tests reported and of the hosted workflow.
func table(lines []covered.Line, hosted []hostedRun) string {
	rows := slices.Concat(testedRows(lines), hostedRows(hosted), compiledRows(lines, hosted))
	var text strings.Builder
	text.WriteString("| run | system | Pythons | packages | what runs |\n|---|---|---|---|---|\n")
	tier := -1
	for _, r := range rows {
		first := ""
		if r.tier != tier {
			tier, first = r.tier, tiers[r.tier]
		}
		cells := []string{first, strings.Join(r.systems, ", "), versions(r.pythons), versions(r.packages), r.what}
		text.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	return text.String()
}

// A tested has what passed with one Python, or with all those that have passed the same.
type tested struct {
	parts    map[covered.Part]bool
	packages map[string]bool
}

// testedRows has a row for the Pythons of a system that passed tests of the same parts.
func testedRows(lines []covered.Line) []row {
	bySystem := map[covered.Line]map[string]*tested{} // of the fields that systemName reads
	for _, l := range lines {
		if l.Python == "" {
			continue
		}
		system := covered.Line{System: l.System, Processor: l.Processor, RunBy: l.RunBy, Bits: l.Bits, Library: l.Library}
		if bySystem[system] == nil {
			bySystem[system] = map[string]*tested{}
		}
		python := bySystem[system][l.Python]
		if python == nil {
			python = &tested{map[covered.Part]bool{}, map[string]bool{}}
			bySystem[system][l.Python] = python
		}
		if l.Part != "" {
			python.parts[l.Part] = true
		}
		if l.Package != "" {
			python.packages[l.Package] = true
		}
	}
	var rows []row
	for system, pythons := range bySystem {
		byParts := map[string]row{}
		for python, passed := range pythons {
			what := partNames(passed.parts)
			r := byParts[what]
			r.systems, r.what = []string{systemName(system)}, what
			if system.RunBy != "" {
				r.tier = 1
			}
			r.pythons = append(r.pythons, python)
			r.packages = slices.AppendSeq(r.packages, maps.Keys(passed.packages))
			byParts[what] = r
		}
		rows = slices.AppendSeq(rows, maps.Values(byParts))
	}
	most := map[string]int{} // the systems on which most is tested come first
	for _, r := range rows {
		most[r.systems[0]] = max(most[r.systems[0]], len(r.what))
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(
			cmp.Compare(a.tier, b.tier),
			cmp.Compare(most[b.systems[0]], most[a.systems[0]]),
			cmp.Compare(a.systems[0], b.systems[0]),
			cmp.Compare(len(b.what), len(a.what)),
			cmp.Compare(a.what, b.what),
		)
	})
	return rows
}

func partNames(parts map[covered.Part]bool) string {
	var names []string
	for _, part := range covered.Parts {
		if parts[part] {
			names = append(names, string(part))
		}
	}
	return strings.Join(names, ", ")
}

// systemName returns a name such as "Linux s390x (qemu)".
func systemName(l covered.Line) string {
	name := targetName(target{l.System, l.Processor})
	if l.Bits != bitsOf(l.Processor) {
		name += fmt.Sprintf(", Pythons of %d bits", l.Bits)
	}
	if l.Library != "" {
		name += ", " + l.Library
	}
	if l.RunBy != "" {
		name += " (" + l.RunBy + ")"
	}
	return name
}

// A target is a GOOS and a GOARCH.
type target struct{ system, processor string }

func targetName(t target) string {
	names := map[string]string{
		"linux": "Linux", "windows": "Windows", "darwin": "macOS",
		"freebsd": "FreeBSD", "netbsd": "NetBSD", "openbsd": "OpenBSD",
	}
	return cmp.Or(names[t.system], t.system) + " " + t.processor
}

func bitsOf(processor string) int {
	switch processor {
	case "386", "arm", "mips", "mipsle":
		return 32
	}
	return 64
}

// hostedRows has a row for the machines that run the same with the same Pythons.
func hostedRows(hosted []hostedRun) []row {
	var rows []row
	for _, run := range hosted {
		system := fmt.Sprintf("%s (%s)", targetName(run.target), run.machine)
		r := row{tier: 2, systems: []string{system}, what: "`" + run.command + "`"}
		for _, version := range run.pythons {
			r.pythons = append(r.pythons, "CPython "+version)
		}
		same := func(other row) bool { return other.what == r.what && slices.Equal(other.pythons, r.pythons) }
		if i := slices.IndexFunc(rows, same); i >= 0 {
			rows[i].systems = append(rows[i].systems, system)
		} else {
			rows = append(rows, r)
		}
	}
	return rows
}

// compiledRows has a row for the systems that are in no other row, if there are any.
func compiledRows(lines []covered.Line, hosted []hostedRun) []row {
	runs := map[target]bool{}
	for _, l := range lines {
		if l.Python != "" {
			runs[target{l.System, l.Processor}] = true
		}
	}
	for _, run := range hosted {
		runs[run.target] = true
	}
	r := row{tier: 3, what: "nothing; code and tests compile"}
	for _, l := range lines {
		if t := (target{l.System, l.Processor}); l.Python == "" && !runs[t] {
			r.systems = append(r.systems, targetName(t))
			runs[t] = true
		}
	}
	if len(r.systems) == 0 {
		return nil
	}
	slices.Sort(r.systems)
	return []row{r}
}

// versions joins names with versions, "CPython 3.8 to 3.15; PyPy 3.9 and 3.11".
func versions(all []string) string {
	byName := map[string][][2]int{}
	for _, text := range all {
		name, version, _ := strings.Cut(text, " ")
		major, minor, _ := strings.Cut(version, ".")
		v := [2]int{number(major), number(minor)}
		if !slices.Contains(byName[name], v) {
			byName[name] = append(byName[name], v)
		}
	}
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		texts = append(texts, name+" "+ranges(byName[name]))
	}
	return strings.Join(texts, "; ")
}

func number(text string) int {
	n, _ := strconv.Atoi(text) // 0 if it is none
	return n
}

// ranges joins versions. Three or more minor versions in a row become "3.8 to 3.15".
func ranges(versions [][2]int) string {
	slices.SortFunc(versions, func(a, b [2]int) int { return slices.Compare(a[:], b[:]) })
	text := func(v [2]int) string { return fmt.Sprintf("%d.%d", v[0], v[1]) }
	var texts []string
	for i := 0; i < len(versions); {
		last := i
		for last+1 < len(versions) && versions[last+1] == [2]int{versions[last][0], versions[last][1] + 1} {
			last++
		}
		if last >= i+2 {
			texts = append(texts, text(versions[i])+" to "+text(versions[last]))
			i = last + 1
		} else {
			texts = append(texts, text(versions[i]))
			i++
		}
	}
	if len(texts) == 1 {
		return texts[0]
	}
	return strings.Join(texts[:len(texts)-1], ", ") + " and " + texts[len(texts)-1]
}
