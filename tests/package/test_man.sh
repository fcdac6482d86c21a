#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_man.sh SOURCE - the manual pages are well-formed, and say of each header what is in it: a
# page is of the headers that its synopsis includes.
set -u
. "$(dirname "$0")/tap.sh"
source=$1
cd "$source" || exit 1
shopt -s nullglob
pages=(man/*.[0-9])

# What a page lacks by mandoc's own judgement. That other pages are not there is the machine's.
well_formed() {
	! mandoc -Tlint -W warning "${pages[@]}" 2>/dev/null | grep .
}

headers_of() { # PAGE
	sed -n 's/^\.In \(belay\/.*\)/include\/\1/p' "$1"
}

# Without those for callers of macros, of which the pages say how they are called.
functions_of() { # HEADER...
	cat "$@" | sed 's/^#.*//' | tr '\n' ' ' |
		grep -oP 'BELAY_EXPORT[^;]*;' | grep -v 'struct belay_site' |
		grep -oP 'BELAY_EXPORT[^;{(]*?\b\Kbelay_\w+(?= *[(;])' | sort -u
}

words_of() { grep -ohE '\bbelay_[a-z0-9_]+' "$@" | sort -u; }

each_function_is_named() {
	local page headers missing=0

	for page in "${pages[@]}"; do
		mapfile -t headers < <(headers_of "$page")
		[ ${#headers[@]} = 0 ] && continue
		# In the description, not in the synopsis alone.
		comm -23 <(functions_of "${headers[@]}") \
			<(sed '1,/^\.Sh DESCRIPTION/d' "$page" | words_of) |
			sed "s|^|$page: |" | grep . && missing=1
	done
	return $missing
}

# A function, type, field or macro; or a page.
nothing_else_is_named() {
	! comm -13 <({ words_of include/belay.h include/belay/*.h
		printf '%s\n' "${pages[@]}" | sed 's|.*/||; s|\..*||'; } | sort -u) \
		<(words_of "${pages[@]}") | grep .
}

# As the headers have them, with other spaces.
prototypes_are_the_headers() {
	local page headers

	for page in "${pages[@]}"; do
		mapfile -t headers < <(headers_of "$page")
		[ ${#headers[@]} = 0 ] && continue
		comm -13 <(declarations "${headers[@]}") <(prototypes "$page") | grep . && return 1
	done
	return 0
}

declarations() { # HEADER...
	cat "$@" | sed 's/^#.*//' | tr '\n\t' '  ' | sed 's|/\*[^*]*\(\*[^/][^*]*\)*\*/||g' |
		grep -oP 'BELAY_EXPORT[^;]*;' | sed -E 's/BELAY_(EXPORT|MUST_CHECK|BORROWED) //g' |
		grep -oP '.*?belay_\w+\(.*\)' | sed -E 's/\) +BELAY_.*/)/' | tr -d ' ' | sort -u
}

prototypes() { # PAGE
	awk '/^\.Ft / { sub(/^\.Ft /, ""); type = $0 }
		/^\.Fo / { name = $2; list = "" }
		/^\.Fa / { sub(/^\.Fa /, ""); list = list (list == "" ? "" : ",") $0 }
		/^\.Fc/ { print type name "(" list ")" }' "$1" | tr -d '" ' | sort -u
}

every_header_has_a_page() {
	! comm -23 <(printf '%s\n' include/belay/*.h | grep -v '/macros.h$') \
		<(for page in "${pages[@]}"; do headers_of "$page"; done | sort -u) | grep .
}

plan 5
if command -v mandoc >/dev/null; then
	try pages_are_well_formed well_formed
else
	skip pages_are_well_formed "there is no mandoc"
fi
try each_function_of_a_header_is_named_in_its_page each_function_is_named
try nothing_is_named_that_no_header_has nothing_else_is_named
try prototypes_are_those_of_the_headers prototypes_are_the_headers
try every_header_has_a_page every_header_has_a_page
exit $failed
