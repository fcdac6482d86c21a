#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_analysis.sh SOURCE - what gcc's and clang's analyzers find of contexts: every mistake in
# bad.c, at its line, and nothing in good.c or in the examples.
set -u
. "$(dirname "$0")/../package/tap.sh"
source=$1
here=$(dirname "$0")

flags=(-std=gnu11 -D_GNU_SOURCE -Wall -DBELAY_ANALYZE)

# Installed headers are the system's, in which gcc and clang keep quiet: so they are that here too.
by_gcc() { # FILE FLAG...
	local file=$1

	shift
	gcc "${flags[@]}" -fanalyzer -fdiagnostics-plain-output "$@" \
		-c "$file" -o "$folder/object" 2>&1
}

by_clang() { # FILE FLAG...
	local file=$1

	shift
	clang "${flags[@]}" --analyze -Xanalyzer -analyzer-output=text -Xclang -analyzer-config \
		-Xclang unix.DynamicMemoryModeling:Optimistic=true "$@" \
		"$file" -o "$folder/object" 2>&1
}

# "LINE KIND" for each finding of these kinds in bad.c. What is released twice has also been used.
found() {
	local at='s/^[^ ]*bad\.c:([0-9]+):.*'

	sed -nE \
		-e "$at"'(-Wanalyzer-malloc-leak|[Ll]eak.*unix\.Malloc).*/\1 leak/p' \
		-e "$at"'(-Wanalyzer-double-free|free released.*unix\.Malloc).*/\1 double/p' \
		-e "$at"'(-Wuse-after-free|Use of memory.*unix\.Malloc).*/\1 use/p' \
		-e "$at"'-Wanalyzer-mismatching-deallocation.*/\1 mismatch/p' |
		awk '{ kinds[$1] = kinds[$1] " " $2 }
			END { for (line in kinds)
				print line, kinds[line] ~ /double/ ? "double" : kinds[line] }' |
		sed 's/  */ /; s/ use use/ use/' | sort -n
}

expected() { # COMPILER KIND...
	local compiler=$1

	shift
	grep -nE "/\* .*\b$compiler\b.*: ($(IFS='|' && echo "$*")) \*/" "$here/bad.c" |
		sed -E 's/^([0-9]+):.*: (\w+) \*\/$/\1 \2/'
}

gcc_finds_all() {
	diff <(expected gcc leak use double mismatch) \
		<(by_gcc "$here/bad.c" "$1" "$source/include" | found)
}

clang_finds_ends() {
	diff <(expected clang use double) <(by_clang "$here/bad.c" -I "$source/include" | found)
}

clang_finds_leaks_too() {
	diff <(expected clang leak use double) \
		<(by_clang "$here/bad.c" -I "$source/include" -DBELAY_ANALYZE_UNSCOPED | found)
}

silent() { # COMPILER FILE...
	local compiler=$1 file

	shift
	for file; do
		"by_$compiler" "$file" -I "$source/include" || return
	done >"$folder/findings"
	! grep . "$folder/findings"
}

plain_gcc_is_silent() {
	gcc -std=gnu11 -O2 -Wall -Wextra -Werror -I "$source/include" -c "$here/good.c" \
		-o "$folder/object"
}

can_analyze() { # COMPILER
	command -v "$1" >/dev/null && echo 'int x;' >"$folder/empty.c" &&
		"by_$1" "$folder/empty.c" >/dev/null
}

with() { # COMPILER NAME COMMAND...
	if can_analyze "$1"; then
		try "${@:2}"
	else
		skip "$2" "no analyzing $1 here"
	fi
}

plan 9
with gcc gcc_finds_each_mistake_at_its_line gcc_finds_all -I
with gcc gcc_finds_them_with_installed_headers_too gcc_finds_all -isystem
with gcc gcc_has_nothing_to_say_of_good_code silent gcc "$here/good.c"
with gcc gcc_has_nothing_to_say_of_the_examples silent gcc "$source"/examples/*.c
with gcc gcc_without_an_analysis_has_nothing_to_say plain_gcc_is_silent
with clang clang_finds_uses_and_ends_after_an_end clang_finds_ends
with clang clang_finds_leaks_where_nothing_is_scoped clang_finds_leaks_too
with clang clang_has_nothing_to_say_of_good_code silent clang "$here/good.c"
with clang clang_has_nothing_to_say_of_the_examples silent clang "$source"/examples/*.c
exit $failed
