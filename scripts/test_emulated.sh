#!/usr/bin/env bash
#
# test_emulated.sh GOARCH... runs tests for other processors than this machine's, with their
# Pythons, which scripts/emulated.sh brings first: fixtures, lists, arrays, locks, values,
# connections, pickles, and memory that another process overwrites. It prints how long each
# processor took. The exit status is 1 if a test failed.
set -euo pipefail
cd "$(dirname "$0")/.."

bash scripts/emulated.sh "$@"
lists='TestFixtures.*|TestEnemy|TestConformance|TestDifferentialBytes|TestThreeGiB|TestArrayOfLargePromise|TestMisalignedWords'
hostile='TestFaults|TestInspectHostile|TestHostileSemaphore|TestRingHostileNumbers|TestAbsurdCounts'
locks='TestShareLocks|TestLockExcludes|TestValues|TestOtherWordSize'
others='TestPicklesOf(Python|Go)|TestArraysOf(Numpy|Go)|TestNpy(Fixtures|AlignedRecords|Padding|HeadersOfNumpy)|TestGoInheritsPipe|TestPythonConnectsToGo'
for processor; do
	printf '%s\n' "$processor"
	SECONDS=0
	GOARCH=$processor go test -exec "$PWD/scripts/qemu.sh" -run "^($lists|$hostile|$locks|$others)\$" \
		./format/... ./pyshm ./compat/conformance
	printf '%s: %d s\n' "$processor" "$SECONDS"
done
