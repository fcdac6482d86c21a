#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_install.sh SOURCE BUILD - installs into an empty folder, and there compiles and runs the
# first program, as the README shows both.
set -u
. "$(dirname "$0")/tap.sh"
source=$1 build=$2
place=$folder/place

install_there() { meson install -C "$build" --no-rebuild --destdir "$place"; }

# The folder stands for the root of a system.
pkg() {
	local found
	found=$(dirname "$(find "$place" -name belay.pc)")
	PKG_CONFIG_PATH=$found PKG_CONFIG_SYSROOT_DIR=$place pkg-config "$@"
}

first_program() {
	awk '/^```c$/ { inside = 1; next } /^```$/ && inside { exit } inside' "$source/README.md"
}

compile() { # OUTPUT LIBRARIES...
	local output=$1

	shift
	first_program >"$folder/first.c"
	cc -Wall -Wextra -Werror "$folder/first.c" -o "$output" $(pkg --cflags belay) "$@"
}

# The program gives itself 150 ms for 50 ms of sleep, which a busy machine may not grant at once.
says_123() { # PROGRAM
	local libraries said

	libraries=$(dirname "$(find "$place" -name libbelay.so)")
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		said=$(LD_LIBRARY_PATH=$libraries "$1") || return 1
		[ "$said" = "work cancelled: context deadline exceeded" ] || break
	done
	[ "$said" = "work complete 123" ]
}

shared() {
	compile "$folder/shared" $(pkg --libs belay) && says_123 "$folder/shared"
}

archive() {
	compile "$folder/archive" -Wl,-Bstatic $(pkg --libs --static belay) -Wl,-Bdynamic &&
		! ldd "$folder/archive" | grep libbelay && says_123 "$folder/archive"
}

cxx() { # PROGRAM
	g++ -std=c++11 -Wall -Wextra -Wpedantic -Werror "$(dirname "$0")/$1.cc" -o "$folder/cxx" \
		$(pkg --cflags --libs belay) && says_123 "$folder/cxx"
}

every_header() {
	diff <(cd "$source/include" && find . -name '*.h' | sort) \
		<(cd "$(dirname "$(find "$place" -name belay.h)")" && find . -name '*.h' | sort)
}

manual_pages() {
	[ -f "$(find "$place" -path '*/share/man/man7/belay.7')" ] &&
		[ -f "$(find "$place" -path '*/share/man/man3/belay_context.3')" ]
}

every_pc_file() {
	local file name
	for file in $(find "$place" -name '*.pc'); do
		name=$(basename "$file" .pc)
		pkg --exists --print-errors "$name" &&
			pkg --libs "$name" | grep -e "-l$name" || return 1
	done
}

# What pkg-config searches by itself below /usr/local; nothing on systems that keep out of there.
searched() { pkg-config --variable=pc_path pkg-config | tr : '\n' | grep '^/usr/local/lib'; }

# Where the .pc files go below the prefix, whatever that is set to just now.
found_by_itself() {
	local libdir

	libdir=$(meson introspect --buildoptions "$build" |
		python3 -c 'import json, sys
print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "libdir"))')
	searched | grep -Fx "/usr/local/$libdir/pkgconfig" ||
		{ echo "pkg-config does not look into /usr/local/$libdir/pkgconfig"; return 1; }
}

plan 9
try everything_installs_below_destdir install_there
try the_first_program_runs_against_the_shared_library shared
try the_first_program_runs_from_the_archive archive
if command -v g++ >/dev/null; then
	try a_cxx_program_runs_against_the_shared_library cxx first
	try a_cxx_program_with_typed_channels_runs_too cxx typed
else
	skip a_cxx_program_runs_against_the_shared_library 'no g++ here'
	skip a_cxx_program_with_typed_channels_runs_too 'no g++ here'
fi
try every_public_header_is_installed every_header
try manual_pages_are_where_man_looks manual_pages
try every_pkg_config_file_links_its_library every_pc_file
if searched >/dev/null; then
	try pkg_config_looks_where_it_installs found_by_itself
else
	skip pkg_config_looks_where_it_installs 'pkg-config does not search /usr/local here'
fi
exit $failed
