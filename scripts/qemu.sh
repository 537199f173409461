#!/usr/bin/env bash
#
# qemu.sh PROGRAM [ARGUMENT...] runs a program for the processor $GOARCH, with the emulator
# that scripts/emulated.sh has installed. It lets tests use the Python for that processor
# and no other. go test uses it:
#
#   GOARCH=s390x go test -exec "$PWD/scripts/qemu.sh" ./format/...
#
# Programs for 386 need no emulator on amd64.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.interpreters/emulated/$GOARCH
pythons=("$root"/usr/bin/python3.*[0-9])
export PYSHM_PYTHONS=only:${pythons[0]}
# Linux starts only programs for its own processor. Tests that start their own executable
# again need the emulator, too.
PYSHM_EMULATOR=$(cat "$root/emulator")
export PYSHM_EMULATOR
[ -z "$PYSHM_EMULATOR" ] || export PYSHM_RUN_BY=qemu # in reports

exec $PYSHM_EMULATOR "$@"
