#!/usr/bin/env bash
#
# Brings Windows to a Debian machine on amd64, for the tests of .ci/run:
#
#   wine64           Debian's packages of Wine and of an assembler for Windows,
#                    installed with apt-get (as root, or by sudo)
#   the prefix       Wine's folder, with a DLL that programs of Go need
#   CPython 3.14     relocatable builds for Windows that the Go modules below carry
#   CPython 3.11
#   numpy            its wheel, for CPython 3.11: Wine lacks functions that newer ones call
#
# The prefix and the Pythons go to .interpreters/windows at the top of the repository,
# which git ignores; removing that folder undoes everything but the packages. Parts that
# work are left alone, so a second run is short. Every part is built aside and renamed, so
# an interrupted run can be repeated. Commands that use the network are tried three times.
#
# scripts/wine.sh PROGRAM runs a program in the prefix.
#
# Prints one line per part. The exit status is 1 if a part could not be brought.
#
# provide calls functions by their names:
# shellcheck disable=SC2329
set -euo pipefail

readonly modules="
3.14 github.com/kluctl/go-embed-python@v0.0.0-3.14.6-20260610-1
3.11 github.com/kluctl/go-embed-python@v0.0.0-3.11.11-20241219-1
"

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly top
readonly dest=$top/.interpreters/windows
readonly work=$dest/.work.$$
. "$top/scripts/provide.sh"
readonly wine=$top/scripts/wine.sh
readonly numpy_version=1.26.4
# For PYTHONPATH, so that a Python without numpy is tested, too.
readonly numpy=$dest/numpy-$numpy_version-cp311

main() {
	local minor module
	begin_work
	provide wine64 has_packages "install_packages wine64 binutils-mingw-w64-x86-64"
	provide "the prefix" has_prefix make_prefix
	while read -r minor module; do
		if [ -n "$minor" ]; then
			provide "CPython $minor" "has_python $minor" "unpack_python $minor $module"
		fi
	done <<<"$modules"
	provide "numpy $numpy_version" has_numpy unpack_numpy
	exit "$status"
}

has_packages() {
	dpkg-query --show --showformat '${Status} ${Package} ${Version}\n' wine64 binutils-mingw-w64-x86-64 |
		awk '!/^install ok installed /{ exit 1 } { printf "%s %s ", $4, $5 }'
}

# has_prefix looks for the file first: Wine makes a prefix that is missing.
has_prefix() {
	[ -f "$dest/prefix/drive_c/windows/system32/bcryptprimitives.dll" ] && "$wine" cmd.exe /c ver | grep Windows
}

make_prefix() {
	rm -rf "$dest/prefix" && mkdir -p "$dest" &&
		WINEPREFIX=$work/prefix "$wine" wineboot.exe -i &&
		forward_random "$work/prefix/drive_c/windows/system32" &&
		WINEPREFIX=$work/prefix /usr/lib/wine/wineserver64 -w &&
		mv "$work/prefix" "$dest/prefix"
}

# forward_random FOLDER makes a DLL that Windows has and Wine 8 lacks. Its only function,
# from which programs of Go take random numbers, is another name of a function in
# advapi32.dll.
forward_random() {
	local object=$work/bcryptprimitives.o
	printf '%s\n' '.section .drectve' '.ascii " -export:ProcessPrng=advapi32.SystemFunction036"' |
		x86_64-w64-mingw32-as -o "$object" &&
		x86_64-w64-mingw32-ld -shared --entry 0 -o "$1/bcryptprimitives.dll" "$object"
}

has_python() {
	"$wine" "$dest/cpython-$1/python.exe" -c 'import sys; print(sys.version)'
}

# unpack_python MINOR MODULE copies the module's tree, in which larger files are gzipped.
unpack_python() {
	local dir tree=$work/cpython-$1
	# From a directory outside this module: its go.mod stays as it is.
	dir=$(cd "$work" && GOWORK=off three_times go mod download -json "$2" |
		sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p') &&
		cp -R "$dir/python/internal/data/windows-amd64" "$tree" &&
		chmod -R u+w "$tree" &&
		find "$tree" -name '*.gz' -exec gunzip {} + &&
		"$wine" "$tree/python.exe" -m compileall -q -d "$dest/cpython-$1" "$tree/Lib" &&
		rm -rf "$dest/cpython-$1" && mv "$tree" "$dest/cpython-$1"
}

has_numpy() {
	PYTHONPATH=$numpy "$wine" "$dest/cpython-3.11/python.exe" -c 'import numpy; print(numpy.__file__)'
}

unpack_numpy() {
	local tree=$work/numpy
	three_times python3 -m pip install --quiet --no-deps --no-compile --only-binary :all: --ignore-requires-python \
		--target "$tree" --python-version 311 --platform win_amd64 "numpy==$numpy_version" &&
		rm -rf "$numpy" && mv "$tree" "$numpy"
}

main
