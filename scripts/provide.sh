#!/usr/bin/env bash
#
# provide.sh has what the scripts that bring parts of the tests share: interpreters.sh,
# windows.sh and emulated.sh source it. They set top, dest and work first, and end with
# exit "$status".
#
# status becomes 1 if a part could not be brought, and in CI also if it was left out. Parts
# that $PYSHM_WITHOUT names, between semicolons, may be missing even in CI.
#
# The scripts set work, and read status:
# shellcheck disable=SC2034,SC2154

status=0

# begin_work makes the folder in which parts are built, until the script ends. It removes
# the remains of killed runs.
begin_work() {
	local left
	for left in "${work%.*}".*; do
		[ -d "$left" ] || continue
		kill -0 "${left##*.}" 2>/dev/null || rm -rf "$left"
	done
	mkdir -p "$work"
	trap 'rm -rf "$work"' EXIT
}

# provide NAME TEST BRING runs BRING unless TEST succeeds, and then TEST again. Each is a
# command with its arguments, in one word. The last line that TEST prints is shown.
provide() {
	local name=$1 test=$2 bring=$3
	if $test >"$work/log" 2>&1 || { $bring && $test; } >"$work/log" 2>&1; then
		echo "ready    $name: $(tail -n 1 "$work/log")"
	else
		echo "missing  $name: $(grep -v '^[[:space:]]*$' "$work/log" | tail -n 1)"
		may_lack "$name" || status=1
	fi
}

# left_out NAME REASON says that this machine cannot have a part.
left_out() {
	echo "left out $1: $2"
	[ "${CI:-}" != true ] || may_lack "$1" || status=1
}

may_lack() {
	case ";${PYSHM_WITHOUT:-};" in
	*";$1;"*) return 0 ;;
	esac
	return 1
}

# three_times COMMAND... repeats a command that fails, after a pause.
three_times() {
	"$@" || { sleep 5 && "$@"; } || { sleep 15 && "$@"; }
}

# install_packages PACKAGE... installs packages of Debian, as root or by sudo. Scripts that
# run at a time wait for each other.
install_packages() {
	local apt_get=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
	if ! command -v apt-get >/dev/null; then
		echo "no apt-get here"
		return 1
	fi
	[ "$(id -u)" = 0 ] || apt_get=(sudo --non-interactive "${apt_get[@]}")
	apt_get=(flock "${BASH_SOURCE[0]}" "${apt_get[@]}")
	three_times "${apt_get[@]}" update &&
		three_times "${apt_get[@]}" install --no-install-recommends "$@"
}
