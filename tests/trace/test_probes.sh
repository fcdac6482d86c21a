#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_probes.sh LIBRARY TRACED DOCUMENT - the probes of libbelay.so: those that the document lists
# are in the library's notes, and a real tracer sees what a program does with its contexts.
set -u
. "$(dirname "$0")/../package/tap.sh"
library=$1 traced=$2 document=$3

# "NAME ARGUMENTS" for each row of the document's table: | `ctx_free(ctx)` | ... |
documented() {
	sed -nE 's/^\| `(\w+)\(([^)]*)\)` \|.*/\1 \2/p' "$document" |
		awk '{ name = $1; sub(/^[^ ]+ ?/, ""); print name, split($0, unused, ",") }' | sort
}

# The same of the library's notes.
noted() {
	readelf -n "$library" | awk '
		$1 == "Provider:" { belay = $2 == "belay" }
		belay && $1 == "Name:" { name = $2 }
		belay && $1 == "Arguments:" { print name, NF - 1 }' | sort -u
}

probes_are_the_documented_ones() {
	[ -n "$(noted)" ] && diff <(documented) <(noted)
}

# Where one has none, a program pays for arguments that nobody wants.
all_but_free_have_a_semaphore() {
	diff <(printf '%s\n' ctx_end ctx_new deadline_fire) <(readelf -n "$library" | awk '
		$1 == "Name:" { name = $2 }
		$1 == "Location:" && $NF !~ /^0x0+$/ { print name }' | sort -u)
}

# ---- With a tracer -------------------------------------------------------------------------------

watch() {
	exec bpftrace -B line -e "
		usdt:$library:belay:ctx_new { printf(\"new %p %p %s %s:%d\n\", arg0, arg1,
			str(arg2), str(arg3), (int32)arg4); }
		usdt:$library:belay:ctx_end { printf(\"end %p %d %d %s %s:%d\n\", arg0, (int32)arg1,
			(int32)arg2, str(arg3), str(arg4), (int32)arg5); }
		usdt:$library:belay:deadline_fire /(int64)arg1 >= 0/ {
			printf(\"late %p\n\", arg0); }
		usdt:$library:belay:ctx_free { printf(\"free %p\n\", arg0); }"
}

# Each line that one run of the program said would be seen.
all_seen() {
	"$traced" >"$folder/said" &&
		sort "$folder/said" | comm -23 - <(sort "$folder/seen") >"$folder/unseen" &&
		[ ! -s "$folder/unseen" ]
}

# The tracer does not say when it has attached everything, and hands on what it sees in its own
# time: so the program runs until one run has been seen whole.
seen_whole() {
	local patience=$((SECONDS + 60))

	until all_seen; do
		if [ $SECONDS -gt $patience ] || ! kill -0 "$tracer" 2>/dev/null; then
			cat "$folder/unseen" "$folder/complaints"
			return 1
		fi
	done
}

# Whether this user on this kernel may trace a program at all.
can_trace() {
	command -v bpftrace >/dev/null &&
		timeout 60 bpftrace -e "uprobe:$traced:main { exit(); } interval:s:30 { exit(); }" \
			-c "$traced" 2>&1 | grep -q '^Attaching'
}

plan 3
try the_documented_probes_are_in_the_library probes_are_the_documented_ones
try what_costs_something_has_a_semaphore all_but_free_have_a_semaphore
if can_trace; then
	watch >"$folder/seen" 2>"$folder/complaints" &
	tracer=$!
	try a_tracer_sees_contexts_made_ended_and_freed seen_whole
	kill "$tracer" 2>/dev/null
	wait "$tracer" 2>/dev/null
else
	skip a_tracer_sees_contexts_made_ended_and_freed 'no bpftrace, or it may not trace here'
fi
exit $failed
