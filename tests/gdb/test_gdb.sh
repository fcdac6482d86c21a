#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_gdb.sh STOPPED SCRIPT - what gdb shows of a program's tasks and contexts, in the process and
# in its core; and of its tasks where main() is the newest frame, or a part of that.
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

inside=stopped.c:$(line 'looks inside')
look=(-ex up -ex 'echo BEFORE\n' -ex frame -ex bt -ex frame
	-ex 'echo TASKS\n' -ex 'belay tasks' -ex 'echo BACKTRACES\n' -ex 'belay bt all'
	-ex 'echo CONTEXTS\n' -ex 'belay contexts' -ex 'echo ONE\n' -ex 'belay bt 1'
	-ex 'belay bt 99' -ex 'echo AFTER\n' -ex frame -ex bt -ex frame -ex 'echo END\n')

look_at() { # LOOK GDB'S ARGUMENT...
	local name=$1

	shift
	debug "$@" "${look[@]}" -ex kill "$stopped" >"$folder/$name"
}

# The kernel's core: gdb's own ends at the first guard page. Where the machine puts cores elsewhere,
# there is none to look at.
look_at_core() { # LOOK FUNCTION
	rm -f "$folder"/core*
	(ulimit -c unlimited && cd "$folder" && exec "$stopped" "$2") >/dev/null 2>&1
	local dumps=("$folder"/core*)

	[ -f "${dumps[0]}" ] && debug -c "${dumps[0]}" "${look[@]}" "$stopped" >"$folder/$1"
}

# What comes after a heading, up to the next one.
part() { # LOOK HEADING
	awk -v heading="$2" '
		/^(BEFORE|TASKS|BACKTRACES|CONTEXTS|ONE|AFTER|END)$/ {
			inside = $0 == heading
			next
		}
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

the_thread_and_its_frame_are_left_as_they_were() { # LOOK
	shows "$1" BEFORE '^#[0-9]+ .*main \(' && shows "$1" AFTER '^#[0-9]+ .*main \(' &&
		[ "$(part "$1" BEFORE)" = "$(part "$1" AFTER)" ] || { cat "$folder/$1"; return 1; }
}

main_is_the_newest_frame() { # LOOK
	shows "$1" BEFORE '^#0 .*main \('
}

a_call_inlined_into_main_is_the_newest_frame() { # LOOK
	shows "$1" BEFORE '^#0 .*look_inside \(' && shows "$1" BEFORE '^#1 .*main \('
}

# LOOK REASON TEST...: without a reason all are tried, else skipped.
each() {
	local look=$1 reason=$2 name

	shift 2
	for name; do
		if [ -z "$reason" ]; then
			try "${name}_of_a_$look" "$name" "$look"
		else
			skip "${name}_of_a_$look" "$reason"
		fi
	done
}

all=(tasks_are_listed backtraces_reach_from_the_park_to_the_task one_task_may_be_asked_for
	contexts_are_listed_below_their_parents the_thread_and_its_frame_are_left_as_they_were)
of_tasks=(backtraces_reach_from_the_park_to_the_task the_thread_and_its_frame_are_left_as_they_were)
in_main=("${of_tasks[@]}" main_is_the_newest_frame)
inlined=("${of_tasks[@]}" a_call_inlined_into_main_is_the_newest_frame)
nothing='no gdb, or it may not debug here' no_core='the system dumps no core here'

plan 19
if command -v gdb >/dev/null && debug -ex 'python print("yes")' \
	-ex 'break look_now' -ex run "$stopped" |
	grep -q 'hit Breakpoint 1'; then
	nothing=''
	look_at process -ex 'break look_now' -ex run
	look_at process_stopped_in_main -ex 'break look_now' -ex run -ex finish
	look_at process_stopped_inside -ex "break $inside" -ex run
	look_at_core dump look_now && look_at_core dump_from_inside look_inside && no_core=''
else
	no_core=$nothing
fi
each process "$nothing" "${all[@]}"
each process_stopped_in_main "$nothing" "${in_main[@]}"
each process_stopped_inside "$nothing" "${inlined[@]}"
each dump "$no_core" "${all[@]}"
each dump_from_inside "$no_core" "${inlined[@]}"
exit $failed
