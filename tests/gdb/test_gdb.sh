#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_gdb.sh STOPPED SCRIPT - what gdb shows of a program's tasks and contexts, in the process and
# in its core.
set -u
. "$(dirname "$0")/../package/tap.sh"
stopped=$(realpath "$1") script=$2 source=$(dirname "$0")/stopped.c

line() { # MARK
	grep -n "/\* $1 \*/" "$source" | cut -d: -f1
}

debug() { # GDB'S ARGUMENT...
	timeout 120 gdb -nx -batch -ex 'set debuginfod enabled off' -ex 'set width 0' \
		-ex "source $script" "$@" </dev/null 2>&1
}

look=(-ex 'echo TASKS\n' -ex 'belay tasks' -ex 'echo BACKTRACES\n' -ex 'belay bt all'
	-ex 'echo CONTEXTS\n' -ex 'belay contexts' -ex 'echo ONE\n' -ex 'belay bt 1'
	-ex 'belay bt 99' -ex 'echo THREAD\n' -ex 'thread 1' -ex bt)

look_at_process() {
	debug -ex 'break look_now' -ex run "${look[@]}" -ex kill "$stopped" >"$folder/process"
}

# The kernel's core: gdb's own ends at the first guard page. Where the machine puts cores elsewhere,
# there is none to look at.
look_at_core() {
	(ulimit -c unlimited && cd "$folder" && exec "$stopped" dump) >/dev/null 2>&1
	local dumps=("$folder"/core*)

	[ -f "${dumps[0]}" ] && debug -c "${dumps[0]}" "${look[@]}" "$stopped" >"$folder/dump"
}

# What comes after a heading, up to the next one.
part() { # LOOK HEADING
	awk -v heading="$2" '
		/^(TASKS|BACKTRACES|CONTEXTS|ONE|THREAD)$/ { inside = $0 == heading; next }
		inside' "$folder/$1"
}

shows() { # LOOK HEADING PATTERN
	part "$1" "$2" | grep -Eq -- "$3" || { cat "$folder/$1"; return 1; }
}

tasks_are_listed() { # LOOK
	shows "$1" TASKS "parked: a channel .*stopped.c:$(line receives) in main\(\)" &&
		shows "$1" TASKS "parked: sleep .*stopped.c:$(line sleeps) in main\(\)" &&
		shows "$1" TASKS "running .*stopped.c:$(line computes) in main\(\)" &&
		shows "$1" TASKS "new .*stopped.c:$(line 'never begins') in main\(\)" &&
		shows "$1" TASKS '^4 tasks$'
}

backtraces_reach_from_the_park_to_the_task() { # LOOK
	[ "$(part "$1" BACKTRACES | grep -c 'wait_deep_inside (')" = 4 ] &&
		shows "$1" BACKTRACES '^#[0-9]+ .* receive \(' &&
		shows "$1" BACKTRACES '^#[0-9]+ .* sleep_long \(' &&
		shows "$1" BACKTRACES '^#[0-9]+ .* compute_for_ever \(' &&
		shows "$1" BACKTRACES '^has not begun$' &&
		shows "$1" BACKTRACES '^#0 .*' || { cat "$folder/$1"; return 1; }
}

one_task_may_be_asked_for() { # LOOK
	shows "$1" ONE '^Task 1 ' && ! part "$1" ONE | grep -q '^Task 2 ' &&
		shows "$1" ONE 'no task 99'
}

contexts_are_listed_below_their_parents() { # LOOK
	shows "$1" CONTEXTS '^with_cancel .*stopped.c:[0-9]+ in main' &&
		shows "$1" CONTEXTS '^  with_value .* user = 0x' &&
		shows "$1" CONTEXTS '^    with_cancel .* done: -125$' &&
		shows "$1" CONTEXTS '^3 contexts$'
}

the_thread_is_left_as_it_was() { # LOOK
	shows "$1" THREAD '^#[0-9]+ .*look_now \(' && shows "$1" THREAD '^#[0-9]+ .* main \('
}

names=(tasks_are_listed backtraces_reach_from_the_park_to_the_task one_task_may_be_asked_for
	contexts_are_listed_below_their_parents the_thread_is_left_as_it_was)
# LOOK REASON: without a reason all is tried, else skipped.
each() {
	local name

	for name in "${names[@]}"; do
		if [ -z "$2" ]; then
			try "${name}_of_a_$1" "$name" "$1"
		else
			skip "${name}_of_a_$1" "$2"
		fi
	done
}

plan 10
if command -v gdb >/dev/null && debug -ex 'python print("yes")' \
	-ex 'break look_now' -ex run "$stopped" |
	grep -q 'hit Breakpoint 1'; then
	look_at_process
	each process ''
	if look_at_core; then each dump ''; else each dump 'the system dumps no core here'; fi
else
	each process 'no gdb, or it may not debug here'
	each dump 'no gdb, or it may not debug here'
fi
exit $failed
