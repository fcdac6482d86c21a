#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_lines.sh SOURCE - no line of code or of a script is wider than 100 columns, with tabs of 8.
set -u
. "$(dirname "$0")/../package/tap.sh"
source=$1

# Of the repository where there is one, with what is new in it, else of what was unpacked; without
# what was built there.
files() {
	git -C "$source" ls-files --cached --others --exclude-standard 2>/dev/null ||
		(cd "$source" && find . -type f -not -path './build*' -printf '%P\n')
}

# Programs, and what they are built with. Prose, pages and data have lines of their own.
texts() {
	files | grep -vE '\.(md|html|svg|png|json|txt)$|(^|/)LICENSE$|(^|/)corpus(/|$)'
}

print_wide() {
	cd "$source" && awk '
		{
			while ((at = index($0, "\t")))
				$0 = substr($0, 1, at - 1) \
					substr("        ", 1 + (at - 1) % 8) substr($0, at + 1)
			if (length($0) > 100)
				print FILENAME ":" FNR ": " $0
		}' "$@"
}

none_is_too_wide() {
	local names

	mapfile -t names < <(texts)
	[ ${#names[@]} -gt 0 ] && print_wide "${names[@]}" >"$folder/wide" &&
		! grep . "$folder/wide"
}

plan 1
try no_line_is_wider_than_100_columns none_is_too_wide
exit $failed
