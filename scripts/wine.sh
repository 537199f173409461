#!/usr/bin/env bash
#
# wine.sh PROGRAM [ARGUMENT...] runs a program for Windows in the prefix that
# scripts/windows.sh has made, or in $WINEPREFIX. go test uses it, too:
#
#   GOOS=windows go test -exec "$PWD/scripts/wine.sh" ./format/...
#
# The first program starts others, which hold on to its output for a while. wine.sh --start
# starts them before, until wine.sh --end.
set -euo pipefail

WINEPREFIX=${WINEPREFIX:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.interpreters/windows/prefix}
export WINEPREFIX
export WINEDEBUG=${WINEDEBUG:--all}                          # Wine's own messages
export WINEDLLOVERRIDES=${WINEDLLOVERRIDES:-mscoree,mshtml=} # offers to install them are left out
unset DISPLAY

case $1 in
--start)
	# The server of an earlier program lives on for a while, and a second one would fail.
	/usr/lib/wine/wineserver64 --kill || true
	/usr/lib/wine/wineserver64 --wait
	/usr/lib/wine/wineserver64 --persistent
	exec /usr/lib/wine/wine64 cmd.exe /c exit </dev/null >/dev/null 2>&1
	;;
--end)
	exec /usr/lib/wine/wineserver64 --kill
	;;
esac

# Python stops when its standard output is a file: it has to be a pipe.
/usr/lib/wine/wine64 "$@" 2> >(cat >&2) | cat
exit "${PIPESTATUS[0]}"
