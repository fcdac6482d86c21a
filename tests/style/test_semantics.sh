#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_semantics.sh SOURCE - what docs/semantics.md promises, tests name; and nothing else.
set -u
. "$(dirname "$0")/../package/tap.sh"
source=$1

promised() {
	grep -oE '^- \*\*[0-9]+\.[0-9]+\*\*' "$source/docs/semantics.md" | grep -oE '[0-9]+\.[0-9]+'
}

# "semantics 1.2", "semantics 2.2, 2.7", "semantics 4.7 and 4.8".
named() {
	grep -rhoE --include='*.c' --include='*.h' --include='*.py' --include='*.sh' \
		'semantics( |, |and |[0-9]+\.[0-9]+)+' "$source/tests" | grep -oE '[0-9]+\.[0-9]+'
}

write_both() {
	promised | sort -u >"$folder/promised" && named | sort -u >"$folder/named" &&
		[ -s "$folder/promised" ]
}

each_is_promised_once() {
	[ -z "$(promised | sort | uniq -d)" ]
}

none_is_without_a_test() {
	write_both && ! comm -23 "$folder/promised" "$folder/named" | grep .
}

none_is_made_up() {
	write_both && ! comm -13 "$folder/promised" "$folder/named" | grep .
}

plan 3
try each_promise_is_made_once each_is_promised_once
try no_promise_is_without_a_test none_is_without_a_test
try tests_name_no_promise_that_was_not_made none_is_made_up
exit $failed
