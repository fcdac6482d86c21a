#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_symbols.sh SOURCE LIBRARY... - what the shared libraries show, need and are made of;
# libbelay.so comes first.
set -u
. "$(dirname "$0")/tap.sh"
source=$1 core=$2
shift
libraries=("$@")

exported() {
	nm -D --defined-only "$@" | awk 'NF == 3 && $2 != "A" { sub(/@.*/, "", $3); print $3 }'
}

# Of the core, and of each adapter whose library is there.
headers() {
	local header name

	for header in "$source"/include/belay/*.h; do
		name=$(basename "$header" .h)
		case $name in
		http* | sqlite* | tls*)
			[[ ${libraries[*]} == *libbelay-${name%%_*}.* ]] || continue ;;
		esac
		echo "$header"
	done
}

declared() {
	headers | tr '\n' '\0' | xargs -0 sed 's/^#.*//' | tr '\n' ' ' |
		grep -oP 'BELAY_EXPORT[^;{(]*?\b\Kbelay_\w+(?= *[(;])' | sort -u
}

only_public_names() {
	! exported "${libraries[@]}" | grep -vE '^belay_[^_]'
}

# A macro of the same name does not count: foreign languages and (belay_cancel)(ctx) need the
# symbol.
every_declaration() {
	[ -n "$(declared)" ] &&
		! comm -23 <(declared) <(exported "${libraries[@]}" | sort -u) | grep .
}

nothing_undeclared() {
	! comm -13 <(declared) <(exported "${libraries[@]}" | sort -u) | grep .
}

libc_alone() {
	! readelf -dW "$core" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
		grep -vE '^(libc\.so|ld-linux)'
}

# An assembly file that forgets to say so makes the stacks of the whole process executable.
no_executable_stack() {
	! for library in "${libraries[@]}"; do readelf -lW "$library"; done |
		grep GNU_STACK | grep -w RWE
}

plan 5
try shared_libraries_export_belay_names_alone only_public_names
try every_declared_function_is_exported every_declaration
try every_exported_function_is_declared nothing_undeclared
try the_core_needs_libc_alone libc_alone
try no_library_asks_for_an_executable_stack no_executable_stack
exit $failed
