#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_types.sh SOURCE - what a typed channel is not for does not compile, with any compiler that is
# there. In the ISO C modes, where older compilers only warn, errors are asked for.
set -u
. "$(dirname "$0")/tap.sh"
source=$1

mistakes=(SENDS_ANOTHER_TYPE RECEIVES_ANOTHER_TYPE TRIES_ANOTHER_TYPE SELECTS_ANOTHER_TYPE
	USES_ANOTHER_CHANNEL USES_AN_UNTYPED_CHANNEL CLOSES_A_CONTEXT)

compile() { # COMPILER LANGUAGE FILE MISTAKE
	local strict=()

	case $2 in c[0-9]*) strict=(-pedantic-errors) ;; esac
	"$1" -std="$2" -fsyntax-only "${strict[@]}" -I "$source/include" -DMISTAKE="$4" "$3"
}

# It is not enough that it fails: it must be for the type, at the line after the mistake's name.
is_refused() { # COMPILER LANGUAGE FILE MISTAKE
	local line said

	line=$(grep -n "MISTAKE == $4" "$3" | cut -d : -f 1)
	said=$(compile "$@" 2>&1) && { echo "$4 compiles"; return 1; }
	grep -qE ":$((line + 1)):.*error:.*(incompatible|conver|no matching)" <<<"$said" ||
		{ echo "$said"; return 1; }
}

are_all_refused() { # COMPILER LANGUAGE FILE
	local mistake

	for mistake in "${mistakes[@]}"; do
		is_refused "$@" "$mistake" || return 1
	done
}

languages() { # COMPILER SUFFIX LANGUAGE...
	local compiler=$1 file=$folder/types.$2 language name

	shift 2
	for language; do
		name=with_${compiler}_as_$language
		if command -v "$compiler" >/dev/null; then
			try "right_types_compile_$name" compile "$compiler" "$language" "$file" NONE
			try "wrong_types_do_not_compile_$name" \
				are_all_refused "$compiler" "$language" "$file"
		else
			skip "right_types_compile_$name" "no $compiler here"
			skip "wrong_types_do_not_compile_$name" "no $compiler here"
		fi
	done
}

copyable() {
	printf '#include <belay.h>\nstruct s { s(); s(const s &); };\nBELAY_CHAN(c, s);\n' |
		g++ -std=c++11 -fsyntax-only -I "$source/include" -x c++ - 2>&1
}

refuses_what_has_a_copy_constructor() {
	! copyable >"$folder/copyable" && grep memcpy "$folder/copyable"
}

cp "$(dirname "$0")/wrong_types.c" "$folder/types.c"
cp "$folder/types.c" "$folder/types.cc"
plan 17
languages gcc c gnu11 gnu17 c11
languages clang c gnu11 c11
languages g++ cc c++11 c++20
languages clang++ cc c++11
if command -v g++ >/dev/null; then
	try cxx_sends_no_type_that_memcpy_can_not_copy refuses_what_has_a_copy_constructor
else
	skip cxx_sends_no_type_that_memcpy_can_not_copy 'no g++ here'
fi
exit $failed
