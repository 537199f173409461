#!/usr/bin/env bash
#
# Checks the Python and shell files, and installs pyshm_attach as pip does:
#
#   Python files   ruff lints them and checks their format (.ruff.toml)
#   pyshm_attach   mypy checks its types, and the types of two examples that use the wheel
#   shell scripts  shellcheck lints them
#   the wheel      is built, installed, and attaches to a list and a lock made by Go
#
# The tools come from PyPI, in the versions of scripts/requirements-tools.txt, and go
# to .interpreters/tools, which git ignores. Tools that are there already are used
# again. The script needs Go, and a Python 3.10 or later with venv and pip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly tools=.interpreters/tools
readonly pins=scripts/requirements-tools.txt
readonly name=pyshm_check_$$ # of a list and a lock
export PIP_DISABLE_PIP_VERSION_CHECK=1

main() {
	work=$(mktemp -d)
	trap clean EXIT
	provide_tools
	check_python
	check_shell
	check_wheel
}

clean() {
	rm -rf "$work" "/dev/shm/$name" "/dev/shm/sem.$name"
}

# provide_tools makes the virtual environment anew if the versions have changed or the
# Python is gone. It copies the versions last, so that an interrupted run is repeated.
provide_tools() {
	local python
	if cmp -s "$pins" "$tools/pins" && "$tools/bin/python" -c ''; then
		return
	fi
	python=$(newest_python)
	echo "installing the tools for $("$python" --version)"
	rm -rf "$tools"
	"$python" -m venv "$tools"
	"$tools/bin/python" -m pip install --quiet --requirement "$pins"
	cp "$pins" "$tools/pins"
}

newest_python() {
	local python
	for python in python3.{20..10} python3; do
		if "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
			echo "$python"
			return
		fi
	done
	echo 'no Python 3.10 or later with venv and pip (Debian: package python3-venv)' >&2
	return 1
}

check_python() {
	local files platform version
	mapfile -t files < <(git ls-files '*.py')
	"$tools/bin/python" -m ruff check "${files[@]}"
	"$tools/bin/python" -m ruff format --check "${files[@]}"
	for platform in linux darwin; do
		for version in 3.10 3.15; do # mypy knows no earlier ones
			check_types --platform "$platform" --python-version "$version" scripts/pyshm_attach.py
		done
	done
}

check_types() {
	"$tools/bin/python" -m mypy --cache-dir "$work/mypy" --no-error-summary --strict "$@"
}

check_shell() {
	local files
	mapfile -t files < <(git grep --cached -lE '^#!.*\b(ba)?sh$' -- ':!*.txtar')
	"$tools/bin/shellcheck" "${files[@]}"
}

# check_wheel installs pyshm_attach where no other path leads to it (python -I), and has
# an example add 1 a thousand times to a list made by Go, under a lock made by Go.
check_wheel() {
	local python=$work/venv/bin/python count
	cmp LICENSE scripts/LICENSE
	"$tools/bin/python" -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work" ./scripts
	"$tools/bin/python" -m venv "$work/venv"
	"$python" -m pip install --quiet --no-index "$work"/pyshm_attach-*.whl
	check_types --python-executable "$python" examples/go-lock/worker.py examples/python-lock/producer.py

	go build -o "$work/pyshm" ./cmd/pyshm
	"$work/pyshm" create "$name" '[1, "two"]' >/dev/null
	"$work/pyshm" lock --create "$name" -- true
	"$python" -I examples/go-lock/worker.py "$name" "$name"
	count=$("$work/pyshm" get "$name" 0)
	if [ "$count" != 1001 ]; then
		echo "the list has $count, not 1001, after the wheel's attach_list and attach_lock" >&2
		return 1
	fi
}

main
