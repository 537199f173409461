#!/usr/bin/env bash
#
# Brings interpreters for the cross-language tests that a machine rarely has:
#
#   CPython 3.14  a relocatable build that the Go module below carries
#   numpy         its wheel, for that CPython; and the oldest, a middle and the
#                 newest one for the CPythons 3.8, 3.12 and 3.13 that are found
#   dataframes    pandas, polars and pyarrow (430 MB), for CPython 3.13 and its numpy
#   CPython 3.15  the one on PATH, or else Debian unstable's package, unpacked together
#                 with the C library that it needs (only on Debian)
#   PyPy          Debian's package pypy3: installed when run as root, otherwise
#                 unpacked (only where apt-get exists); and a numpy for PyPy 3.9 or 3.11
#   PyPy 3.11     Debian unstable's package, unpacked as CPython 3.15 is. It is not
#                 listed, because it makes the tests slow: CI runs them with it apart.
#
# Unpacked files go to .interpreters/ at the top of the repository, which git ignores;
# removing that folder undoes everything. .interpreters/list has the interpreters that
# work, one executable a line. Package compat reads it. The script leaves alone each
# interpreter that runs already, so a second run is short. Every part is built aside
# and renamed, so an interrupted run can be repeated. Commands that use the network are
# tried three times.
#
# Prints one line per part. The exit status is 1 if a part could not be brought.
# In CI, parts that are left out are missing, too.
#
# provide calls functions by their names:
# shellcheck disable=SC2329
set -euo pipefail

readonly python_module=github.com/kluctl/go-embed-python@v0.0.0-3.14.6-20260610-1
readonly numpy_version=2.4.6
# CPython and numpy. The folder numpy-VERSION-cpNNN is for PYTHONPATH: the
# interpreters do not belong to this repository, and stay as they are.
readonly numpys="
3.8  1.17.3
3.12 1.26.4
3.13 2.5.5
"
# PyPy and numpy. The folder is numpy-VERSION-ppNN.
readonly pypy_numpys="
3.9  2.0.2
3.11 2.4.6
"
# Packages for the CPython of one of the numpys above, with all that they need besides
# numpy. Their folder, dataframes-cpNNN, is for PYTHONPATH too.
readonly dataframes_python=3.13
readonly dataframes="
pandas==3.1.1
python-dateutil==4.0.0
tzdata==2026.6
polars==2.1.0
polars-runtime-32==2.1.0
pyarrow==26.0.1
"

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly top
readonly dest=$top/.interpreters
readonly work=$dest/.work.$$ # everything is built here, then renamed
. "$top/scripts/provide.sh"
readonly cpython=$dest/cpython-3.14
readonly cpython_unstable=$dest/cpython-3.15
readonly numpy=$dest/numpy-$numpy_version
readonly dataframes_folder=$dest/dataframes-cp${dataframes_python/./}
readonly pypy=$dest/pypy3
readonly pypy_unstable=$dest/pypy-3.11

main() {
	begin_work
	: >"$work/list"

	provide "CPython 3.14" "runs cpython_path list" unpack_cpython
	provide numpy has_numpy unpack_numpy
	provide_numpys
	provide_dataframes
	provide "CPython 3.15" "runs cpython_unstable_path list" unpack_cpython_unstable
	provide PyPy "runs pypy_path list" bring_pypy
	provide_pypy_numpy
	if grep -qx 'ID=debian' /etc/os-release 2>/dev/null; then
		provide "PyPy 3.11" "runs pypy_unstable_path unlisted" unpack_pypy_unstable
	else
		left_out "PyPy 3.11" "it comes from Debian"
	fi

	mv "$work/list" "$dest/list"
	exit "$status"
}

cpython_path() { echo "$cpython/bin/python3"; }
cpython_unstable_path() { find_cpython 3.15 || echo "$cpython_unstable/usr/bin/python3.15"; }
pypy_path() { command -v pypy3 || echo "$pypy/usr/bin/pypy3"; }
pypy_unstable_path() { echo "$pypy_unstable/usr/bin/pypy3"; }

# runs FIND LIST adds an interpreter to a list if it runs. FIND prints its path.
runs() {
	local executable version
	executable=$($1) &&
		version=$("$executable" -c 'import platform as p; print(p.python_implementation(), p.python_version())') &&
		echo "$executable" >>"$work/$2" &&
		echo "$executable ($version)"
}

# unpack_cpython copies the module's tree, in which larger files are gzipped and
# symbolic links and permissions exist in files.json only.
unpack_cpython() {
	local module_dir platform tree=$work/cpython kind executable_bit name target
	platform=$(go env GOHOSTOS)-$(go env GOHOSTARCH)
	# From a directory outside this module: its go.mod stays as it is.
	module_dir=$(cd "$work" && GOWORK=off three_times go mod download -json "$python_module" |
		sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p') &&
		cd "$top" || return
	if ! [ -d "$module_dir/python/internal/data/$platform" ]; then
		echo "$python_module has no build for $platform"
		return 1
	fi
	cp -R "$module_dir/python/internal/data/$platform" "$tree" &&
		chmod -R u+w "$tree" || return
	while read -r kind executable_bit name target; do
		case $kind in
		link) ln -s "$target" "$tree/$name" || return ;;
		gzip) gunzip "$tree/$name.gz" || return ;;
		esac
		if [ "$executable_bit" = 1 ]; then
			chmod +x "$tree/$name" || return
		fi
	done < <(special_files "$tree/files.json")
	compile_modules "$tree/bin/python3" "$tree" "$cpython" &&
		install_tree "$tree" "$cpython"
}

# compile_modules PYTHON TREE TO writes the bytecode of a tree that will be moved to TO.
# Imports would not write it for an account without the right to, or where
# PYTHONDONTWRITEBYTECODE is set. Each start would then take several times as long.
compile_modules() {
	"$1" -m compileall -q -j 0 -d "$3" "$2"
}

# special_files lists the entries of files.json for which a plain copy is wrong, one a
# line: link, gzip or file; 1 if executable; name; link target.
special_files() {
	awk -F '"' '
		/"name":/             { name = $4; target = ""; kind = "file"; perm = 0 }
		/"perm":/             { perm = $3; gsub(/[^0-9]/, "", perm) }
		/"symlink":/          { kind = "link"; target = $4 }
		/"compressed": *true/ { kind = "gzip" }
		/^ *}/ && name != "" {
			executable = int(perm / 64) % 2 # the bit 0100
			if (kind != "file" || executable) print kind, executable, name, target
			name = ""
		}' "$1"
}

has_numpy() {
	"$cpython/bin/python3" -c 'import numpy' &&
		[ -d "$numpy" ] && echo "$numpy ($numpy_version, for CPython 3.14)"
}

# unpack_numpy unpacks the wheel beside CPython and points a .pth file at it.
unpack_numpy() {
	local site=$cpython/lib/python3.14/site-packages
	if ! [ -x "$cpython/bin/python3" ]; then
		echo "it needs CPython 3.14"
		return 1
	fi
	unpack_wheels "$cpython/bin/python3" cp314 "$numpy" "numpy==$numpy_version" &&
		mkdir -p "$site" && echo "../../../../${numpy##*/}" >"$work/pth" && mv "$work/pth" "$site/numpy.pth"
}

# unpack_wheels PYTHON TAG TO PACKAGE==VERSION... unpacks packages for a Python with the
# tag cpNNN or ppNN. pip judges by its own Python whether a wheel is too new: it must not.
unpack_wheels() {
	local python=$1 tag=$2 to=$3 machine platforms tree=$work/wheels abi=()
	shift 3
	machine=$(uname -m)
	case $(uname -s)-$machine in
	Linux-*) platforms=("manylinux_2_28_$machine" "manylinux_2_27_$machine" "manylinux_2_17_$machine" "manylinux2014_$machine" "manylinux1_$machine") ;;
	Darwin-arm64) platforms=(macosx_11_0_arm64) ;;
	Darwin-*) platforms=("macosx_10_15_$machine" "macosx_10_9_$machine") ;;
	*) echo "no wheel is known for $(uname -s)" && return 1 ;;
	esac
	python3 -m pip --version >/dev/null || {
		echo "python3 has no pip"
		return 1
	}
	case $tag in
	pp*) abi=("--abi=pypy${tag#pp}_pp73") ;;
	esac
	rm -rf "$tree"
	three_times python3 -m pip install --quiet --no-deps --no-compile --only-binary :all: --ignore-requires-python \
		--target "$tree" --implementation "${tag:0:2}" --python-version "${tag:2}" "${abi[@]}" \
		"${platforms[@]/#/--platform=}" "$@" &&
		compile_modules "$python" "$tree" "$to" &&
		install_tree "$tree" "$to"
}

# provide_numpys unpacks what $numpys lists, each for the CPythons that are found.
provide_numpys() {
	local minor version python
	while read -r minor version; do
		[ -n "$minor" ] || continue
		if python=$(find_cpython "$minor"); then
			provide_numpy_folder "$python" "cp${minor/./}" "$version"
		else
			left_out "numpy $version" "there is no CPython $minor"
		fi
	done <<<"$numpys"
}

# provide_pypy_numpy unpacks the numpy that $pypy_numpys lists for PyPy.
provide_pypy_numpy() {
	local minor version python found
	python=$(pypy_path)
	found=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || return 0
	while read -r minor version; do
		if [ "$minor" = "$found" ]; then
			provide_numpy_folder "$python" "pp${minor/./}" "$version"
			return
		fi
	done <<<"$pypy_numpys"
	left_out "numpy for PyPy" "none is known for PyPy $found"
}

# provide_numpy_folder PYTHON TAG VERSION unpacks a numpy into a folder for PYTHONPATH.
provide_numpy_folder() {
	local python=$1 tag=$2 version=$3 folder=$dest/numpy-$3-$2
	provide "numpy $version" has_numpy_folder unpack_numpy_folder
}

# These take their variables from provide_numpy_folder.
has_numpy_folder() { has_modules "$python" "$folder" numpy; }
unpack_numpy_folder() { unpack_wheels "$python" "$tag" "$folder" "numpy==$version"; }

# has_modules PYTHON FOLDER MODULES [FOLDER] imports modules from one or two folders.
has_modules() {
	[ -d "$2" ] && PYTHONPATH=$2${4:+:$4} "$1" -c "import $3" && echo "$2 (for $1)"
}

# provide_dataframes unpacks $dataframes beside a numpy, again if the list has changed.
provide_dataframes() {
	local python
	if python=$(find_cpython "$dataframes_python"); then
		provide dataframes has_dataframes unpack_dataframes
	else
		left_out dataframes "there is no CPython $dataframes_python"
	fi
}

# These take python from provide_dataframes.
has_dataframes() {
	[ "$(cat "$dataframes_folder/packages")" = "${dataframes%$'\n'}" ] &&
		has_modules "$python" "$dataframes_folder" pandas,polars,pyarrow "$(echo "$dest"/numpy-*-"${dataframes_folder##*-}")"
}

unpack_dataframes() {
	local packages
	mapfile -t packages < <(grep . <<<"$dataframes")
	unpack_wheels "$python" "${dataframes_folder##*-}" "$dataframes_folder" "${packages[@]}" &&
		printf '%s' "$dataframes" >"$dataframes_folder/packages"
}

# find_cpython X.Y prints a CPython of that version, where package compat looks too.
find_cpython() {
	local python
	for python in $(type -ap "python$1") "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python3; do
		if "$python" -c "import sys; sys.exit(sys.implementation.name != 'cpython' or '%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null; then
			echo "$python"
			return
		fi
	done
	return 1
}

# unpack_cpython_unstable unpacks python3.15.
unpack_cpython_unstable() {
	local tree=$work/cpython-unstable
	unpack_unstable python3.15 "$tree" &&
		wrap_unstable "$tree/usr/bin" python3.15 &&
		compile_modules "$tree/usr/bin/python3.15" "$tree" "$cpython_unstable" &&
		install_tree "$tree" "$cpython_unstable"
}

# unpack_pypy_unstable unpacks a newer PyPy than the machine's Debian has.
unpack_pypy_unstable() {
	local tree=$work/pypy-unstable
	unpack_unstable pypy3 "$tree" &&
		wrap_unstable "$tree/usr/bin" pypy3 &&
		install_tree "$tree" "$pypy_unstable"
}

# unpack_unstable PACKAGE TREE unpacks a package of Debian unstable and all that it needs.
# It leaves the host's apt and dpkg as they are: apt works as if on a machine without any
# package installed, and only downloads.
unpack_unstable() {
	local apt=$work/unstable mirror keys=/usr/share/keyrings/debian-archive-keyring.gpg
	mirror=$(debian_mirror) && rm -rf "$apt/cache" && mkdir -p "$apt" "$2" || return
	[ -f "$keys" ] && keys="[signed-by=$keys]" || keys=
	echo "deb $keys $mirror sid main" >"$apt/sources.list"
	: >"$apt/status"
	local unstable=(-o Dir::State::status="$apt/status" -o Dir::Etc::sourcelist="$apt/sources.list"
		-o Dir::Etc::sourceparts=/dev/null -o APT::Architectures="$(dpkg --print-architecture)"
		-o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false)
	three_times private_apt "${unstable[@]}" update &&
		three_times private_apt "${unstable[@]}" -y install --download-only --no-install-recommends "$1" &&
		unpack_packages "$apt/cache/archives" "$2"
}

# debian_mirror prints the address from which this machine gets its Debian packages.
debian_mirror() {
	local id release mirror
	if ! command -v apt-get >/dev/null; then
		echo "no apt-get here; list a CPython 3.15 in PYSHM_PYTHONS" >&2
		return 1
	fi
	# shellcheck source=/dev/null
	id=$(. /etc/os-release && echo "$ID ${VERSION_CODENAME:-}")
	for release in "${id#* }" testing unstable sid; do
		# shellcheck disable=SC2016 # apt-get expands it
		mirror=$(apt-get indextargets --format '$(REPO_URI)' "Release: $release" 'Component: main' 'Created-By: Packages' | head -n 1)
		if [ "${id% *}" = debian ] && [ -n "$mirror" ]; then
			echo "$mirror"
			return
		fi
	done
	echo "apt has no mirror of Debian here; list a CPython 3.15 in PYSHM_PYTHONS" >&2
	return 1
}

# wrap_unstable FOLDER PYTHON renames the interpreter to PYTHON.real, and makes PYTHON
# a script that starts it with the C library beside it. argv[0] is the script, or a link
# to it as in a virtual environment: Python finds its modules and sys.executable by it.
# PATH does not matter.
wrap_unstable() {
	mv "$1/$2" "$1/$2.real" && cat >"$1/$2" <<-'WRAPPER' && chmod +x "$1/$2"
		#!/bin/sh
		self=$(command -p readlink -f "$0")
		bin=${self%/*}
		for loader in "$bin"/../lib/*-linux-*/ld-linux*.so.*; do
		    exec "$loader" --library-path "${loader%/*}" --argv0 "$0" "$self.real" "$@"
		done
	WRAPPER
}

bring_pypy() {
	if ! command -v apt-get; then
		echo "no apt-get here; install PyPy 3.8 or later as pypy3 on PATH"
		return 1
	fi
	if [ "$(id -u)" = 0 ]; then
		install_packages pypy3
	else
		unpack_pypy
	fi
}

unpack_pypy() {
	local apt=$work/apt tree=$work/pypy3
	three_times private_apt update &&
		mkdir -p "$tree" && cd "$apt" &&
		three_times private_apt download pypy3 pypy3-lib &&
		cd "$top" &&
		unpack_packages "$apt" "$tree" &&
		wrap_pypy "$tree/usr/bin" && install_tree "$tree" "$pypy"
}

# private_apt ARGUMENTS... runs apt-get with lists and a cache in the folder $apt, so
# that it needs no rights.
private_apt() {
	mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" &&
		apt-get -q -o Dir::State="$apt/state" -o Dir::Cache="$apt/cache" "$@"
}

# unpack_packages FROM TREE unpacks all archives of a folder.
unpack_packages() {
	local package
	for package in "$1"/*.deb; do
		dpkg-deb -x "$package" "$2" || return
	done
}

# wrap_pypy makes pypy3 a script that finds the interpreter's shared library. PyPy takes
# the script for its own executable (argv[0] becomes sys.executable). The former pypy3, a
# link to pypy3.9 or another version, becomes pypy3.real.
wrap_pypy() {
	mv "$1/pypy3" "$1/pypy3.real" && cat >"$1/pypy3" <<-'WRAPPER' && chmod +x "$1/pypy3"
		#!/bin/bash
		bin=$(command -p readlink -f "$0")
		bin=${bin%/*}
		for lib in "$bin"/../lib/*-linux-*; do
		    export LD_LIBRARY_PATH=$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
		done
		exec -a "$0" "$bin/pypy3.real" "$@"
	WRAPPER
}

# install_tree FROM TO renames a finished tree into place.
install_tree() {
	rm -rf "$2" && mv "$1" "$2"
}

main
