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
export PYSHM_RUN_BY=Wine                                     # in reports
unset DISPLAY

# servers prints the process IDs of the prefix's servers, whose folders have its device and
# inode in their names. wineserver64 --kill finds only the server that started last.
servers() {
	local device inode process
	read -r device inode < <(stat -c '%d %i' "$WINEPREFIX")
	for process in /proc/[0-9]*; do
		case $(readlink "$process/cwd") in
		*/"$(printf 'server-%x-%x' "$device" "$inode")"*) echo "${process#/proc/}" ;;
		esac
	done
}

# end_servers ends them, and with them the programs for Windows.
end_servers() {
	local running
	for _ in {1..100}; do
		running=$(servers)
		[ -n "$running" ] || return 0
		# shellcheck disable=SC2086 # several
		kill -INT $running 2>/dev/null || true
		sleep 0.1
	done
	echo "Wine's server does not end: $running" >&2
	return 1
}

case $1 in
--start)
	end_servers # of an earlier program: a second one fails beside it
	/usr/lib/wine/wineserver64 --persistent
	exec /usr/lib/wine/wine64 cmd.exe /c exit </dev/null >/dev/null 2>&1
	;;
--end)
	end_servers
	exit
	;;
esac

# Python stops when its standard output is a file: it has to be a pipe.
/usr/lib/wine/wine64 "$@" 2> >(cat >&2) | cat
exit "${PIPESTATUS[0]}"
