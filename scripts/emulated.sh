#!/usr/bin/env bash
#
# emulated.sh [GOARCH...] brings what tests for other processors than this machine's need,
# to Debian on amd64:
#
#   the emulators   Debian's package qemu-user-static, installed with apt-get (as root)
#   a Python        Debian's for each processor, with numpy, unpacked together with the C
#                   library that it needs
#
# The processors have Go's names: 386, arm, arm64 and s390x, which are all if none is
# named. The Pythons go to .interpreters/emulated at the top of the repository, which git
# ignores; removing that folder undoes everything but the package. Parts that work are left
# alone, so a second run is short. Every part is built aside and renamed, so an interrupted
# run can be repeated. Commands that use the network are tried three times.
#
# scripts/qemu.sh PROGRAM runs a program for $GOARCH.
#
# Prints one line per part. The exit status is 1 if a part could not be brought.
#
# provide calls functions by their names:
# shellcheck disable=SC2329
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly top
readonly dest=$top/.interpreters/emulated
readonly work=$dest/.work.$$

main() {
	local processor
	[ $# -gt 0 ] || set -- 386 arm arm64 s390x
	status=0
	mkdir -p "$work"
	trap 'rm -rf "$work"' EXIT

	provide "the emulators" has_emulators install_emulators
	for processor; do
		provide "Python for $processor" "has_python $processor" "unpack_python $processor"
	done
	exit "$status"
}

# provide NAME TEST BRING calls BRING unless TEST succeeds, and then TEST again.
provide() {
	local name=$1 test=$2 bring=$3
	if $test >"$work/log" 2>&1 || { $bring && $test; } >"$work/log" 2>&1; then
		echo "ready    $name: $(tail -n 1 "$work/log")"
	else
		status=1
		echo "missing  $name: $(grep -v '^[[:space:]]*$' "$work/log" | tail -n 1)"
	fi
}

# three_times COMMAND... repeats a command that fails, after a pause.
three_times() {
	"$@" || { sleep 5 && "$@"; } || { sleep 15 && "$@"; }
}

has_emulators() {
	qemu-s390x-static --version | head -n 1
}

install_emulators() {
	local apt_get=(apt-get -q -y -o DPkg::Lock::Timeout=300)
	three_times "${apt_get[@]}" update &&
		DEBIAN_FRONTEND=noninteractive three_times "${apt_get[@]}" install --no-install-recommends qemu-user-static
}

# has_python PROCESSOR prints what the machine looks like to the Python.
has_python() {
	"$(python_of "$dest/$1")" -c 'import numpy, platform as p, struct, sys
print("CPython %s, numpy %s, %s-endian, %d bits" % (p.python_version(), numpy.__version__, sys.byteorder, 8 * struct.calcsize("P")))'
}

# python_of TREE prints the path of the only interpreter there.
python_of() {
	echo "$1"/usr/bin/python3.*[0-9]
}

# unpack_python leaves the host's apt and dpkg as they are: apt works as if on a machine of
# the other processor without any package installed, and only downloads.
unpack_python() {
	local debian=$1 emulator=qemu-$1-static apt=$work/apt-$1 tree=$work/$1 package
	case $1 in
	386) debian=i386 emulator= ;;
	arm) debian=armhf ;;
	arm64) emulator=qemu-aarch64-static ;;
	esac
	mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$tree" && : >"$apt/status" || return
	local other=(apt-get -q -y -o Dir::State="$apt/state" -o Dir::State::status="$apt/status"
		-o Dir::Cache="$apt/cache" -o APT::Architecture="$debian" -o APT::Architectures="$debian"
		-o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false)
	three_times "${other[@]}" update || echo 'going on with the sources that were fetched'
	three_times "${other[@]}" install --download-only --no-install-recommends python3-minimal python3-numpy || return
	for package in "$apt/cache/archives"/*.deb; do
		dpkg-deb -x "$package" "$tree" || return
	done
	echo "$emulator" >"$tree/emulator"
	wrap_python "$(python_of "$tree")" "$emulator" &&
		"$(python_of "$tree")" -m compileall -q -d "$dest/$1/usr/lib" "$tree/usr/lib" &&
		rm -rf "${dest:?}/$1" && mv "$tree" "$dest/$1"
}

# wrap_python PYTHON EMULATOR renames the interpreter to PYTHON.real, and makes PYTHON a
# script that starts it in the emulator, with the C library beside it. argv[0] is the
# script: Python finds its modules by it, and starts other Pythons by it.
wrap_python() {
	mv "$1" "$1.real" && cat >"$1" <<-WRAPPER && chmod +x "$1"
		#!/bin/sh
		python=\$(command -p readlink -f "\$0")
		root=\${python%/usr/bin/*}
		for loader in "\$root"/lib/*-linux-*/ld*.so.* "\$root"/usr/lib/*-linux-*/ld*.so.*; do
		    [ ! -f "\$loader" ] || break
		done
		libraries=\$root/usr/lib/\$(command -p basename "\${loader%/*}")
		libraries=\${loader%/*}:\$libraries:\$libraries/blas:\$libraries/lapack
		exec $2 "\$loader" --library-path "\$libraries" --argv0 "\$0" "\$python.real" "\$@"
	WRAPPER
}

main "$@"
