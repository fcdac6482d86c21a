#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_headers.sh SOURCE - each public header, alone, and every macro in use, compile without a
# warning as each language that they promise, with each compiler that is there.
set -u
. "$(dirname "$0")/tap.sh"
source=$1

flags=(-fsyntax-only -Werror -Wall -Wextra -Wshadow -Wconversion -I "$source/include")

# GNU C is asked for its extensions, not warned of them.
pedantic() { # LANGUAGE
	case $1 in gnu*) ;; *) echo -Wpedantic ;; esac
}

# A file for each header, that includes it twice.
write_units() { # SUFFIX
	local header name

	for header in "$source"/include/belay.h "$source"/include/belay/*.h; do
		name=${header#"$source"/include/}
		printf '#include <%s>\n#include <%s>\ntypedef int not_empty;\n' "$name" "$name" \
			>"$folder/${name//\//_}.$1"
	done
	cp "$(dirname "$0")/every_macro.c" "$folder/every_macro.$1"
}

languages() { # COMPILER SUFFIX LANGUAGE...
	local compiler=$1 suffix=$2 language

	shift 2
	for language; do
		if command -v "$compiler" >/dev/null; then
			try "headers_compile_with_${compiler}_as_$language" \
				"$compiler" -std="$language" $(pedantic "$language") \
					"${flags[@]}" "$folder"/*."$suffix"
		else
			skip "headers_compile_with_${compiler}_as_$language" "no $compiler here"
		fi
	done
}

write_units c
write_units cc
plan 16
languages gcc c c99 c11 c17 c2x gnu11
languages clang c c99 c11 c17 c2x gnu11
languages g++ cc c++11 c++17 c++20
languages clang++ cc c++11 c++17 c++20
exit $failed
