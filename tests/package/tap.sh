# SPDX-License-Identifier: MIT
#
# tap.sh - sourced by tests that are shell scripts: `plan N`, then `try NAME COMMAND...` (what the
# command prints is shown where it fails), or `skip NAME REASON`. Ends with the exit status.

number=0 failed=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

plan() { echo "1..$1"; }

try() { # NAME COMMAND...
	local name=$1

	shift
	number=$((number + 1))
	if "$@" >"$folder/said" 2>&1; then
		echo "ok $number - $name"
	else
		failed=1
		echo "not ok $number - $name"
		sed 's/^/# /' "$folder/said"
	fi
}

skip() { # NAME REASON
	number=$((number + 1))
	echo "ok $number - $1 # SKIP $2"
}
