#!/usr/bin/env bash
#
# emulated.sh [GOARCH...] brings what tests for other processors than this machine's need,
# to Debian on amd64:
#
#   the emulators   Debian's package qemu-user-static, installed with apt-get (as
#                   root, or by sudo)
#   a Python        Debian's for each processor, with numpy, unpacked together with the C
#                   library that it needs
#
# The processors have Go's names: 386, arm (armhf), arm64, riscv64 and s390x, which are all
# if none is named. Debian has packages for riscv64 from its version 13 on: an older Debian
# takes them from there. The Pythons go to .interpreters/emulated at the top of the repository, which git
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
. "$top/scripts/provide.sh"

main() {
	local processor
	[ $# -gt 0 ] || set -- 386 arm arm64 riscv64 s390x
	begin_work
	provide "the emulators" has_emulators "install_packages qemu-user-static"
	for processor; do
		if grep -qx 'ID=debian' /etc/os-release 2>/dev/null; then
			provide "Python for $processor" "has_python $processor" "unpack_python $processor"
		else
			left_out "Python for $processor" "it comes from Debian"
		fi
	done
	exit "$status"
}

has_emulators() {
	qemu-s390x-static --version | head -n 1
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
	local debian=$1 emulator=qemu-$1-static apt=$work/apt-$1 tree=$work/$1 package release=()
	case $1 in
	386) debian=i386 emulator= ;;
	arm) debian=armhf ;;
	arm64) emulator=qemu-aarch64-static ;;
	riscv64)
		newer_debian >"$work/sources.list" || return
		release=(-o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null)
		;;
	esac
	mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$tree" && : >"$apt/status" || return
	local other=(apt-get -q -y -o Dir::State="$apt/state" -o Dir::State::status="$apt/status"
		-o Dir::Cache="$apt/cache" -o APT::Architecture="$debian" -o APT::Architectures="$debian"
		-o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false "${release[@]}")
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

# newer_debian prints where apt finds Debian 13: at the mirror of this machine.
newer_debian() {
	local mirror keys=/usr/share/keyrings/debian-archive-keyring.gpg
	# shellcheck disable=SC2016 # apt-get expands it
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Component: main' 'Created-By: Packages' | head -n 1)
	if [ -z "$mirror" ]; then
		echo "apt has no mirror of Debian here"
		return 1
	fi
	echo "deb [signed-by=$keys] $mirror trixie main"
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
