#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_reports.sh REPORTED - what BELAY_REPORT has a program say at its exit.
set -u
. "$(dirname "$0")/../package/tap.sh"
reported=$1 source=$(dirname "$0")/reported.c

# The line of the source that has this mark.
line() { # MARK
	grep -n "/\* $1 \*/" "$source" | cut -d: -f1
}

# What is said on standard error goes to $folder/told.
report() { # WORDS ARGUMENT...
	local words=$1

	shift
	BELAY_REPORT=$words "$reported" "$@" 2>"$folder/told" >"$folder/printed"
	local status=$?
	cat "$folder/told"
	return $status
}

told() { grep -q -- "$@" "$folder/told"; }
not_told() { ! told "$@"; }

# How much stack the report says that the tasks of a line have used.
used() { # MARK
	sed -nE "s/^  ([0-9]+) of [0-9]+ bytes, .*reported\.c:$(line "$1") .*/\1/p" "$folder/told"
}

a_hog_is_named_by_the_line_that_spawned_it() {
	report hogs hog && told "^belay: tasks that held a worker for 10 ms or more:" &&
		told "ms at the longest, 1 time: task started at .*reported.c:$(line \
			'the hog') in hog()"
}

who_sleeps_in_the_kernel_is_one() {
	report hogs hog && told "reported.c:$(line 'the sleeping hog') in hog()"
}

one_is_named_that_runs_after_a_shutdown_too() {
	report hogs restart hog && told "reported.c:$(line 'the hog') in hog()"
}

# The machine itself may stand still for longer than that, now and then.
who_yields_is_no_hog() {
	local attempt

	for attempt in {1..10}; do
		report hogs hog && not_told "reported.c:$(line 'no hog') " && return
	done
	return 1
}

a_report_may_be_had_before_the_end() {
	report hogs demand &&
		grep -q "reported.c:$(line 'the one in mid-run') in demand()" "$folder/printed" &&
		tail -n 1 "$folder/printed" | grep -qx 1
}

without_hogs_it_says_so() {
	report hogs && told '^belay: no task held a worker for long$'
}

stacks_are_measured_by_line() {
	report stacks stack &&
		told "^belay: the most stack that tasks have used:" &&
		told 'of 10 tasks started at .* in stack()' &&
		[ "$(used 'the deep ones')" -gt 100000 ] && [ "$(used 'the deep ones')" -lt 120000 ]
}

a_large_stack_is_measured_too() {
	report stacks stack &&
		told "of 4194304 bytes, of 10 tasks started at .*:$(line 'the deeper ones') in" &&
		[ "$(used 'the deeper ones')" -gt 1000000 ] &&
		[ "$(used 'the deeper ones')" -lt 1020000 ]
}

a_task_with_a_large_stack_that_waits_for_ever_is_named() {
	report leaks leave && told '^belay: 1 task is still there:$' &&
		told "task started at .*:$(line 'the one left') in leave()"
}

a_report_may_be_read_by_a_task_that_starts_others() {
	BELAY_WORKERS=1 report leaks pour && grep -qx poured "$folder/printed"
}

a_stack_used_again_is_measured_anew() {
	report stacks stack && [ "$(used 'the shallow ones')" -gt 100 ] &&
		[ "$(used 'the shallow ones')" -lt 50000 ]
}

several_words_work_together() {
	report leaks,hogs,stacks leak hog stack &&
		told '1 context was never ended' && told 'held a worker' && told 'most stack'
}

no_word_says_nothing() {
	report '' leak hog stack && [ ! -s "$folder/told" ] && report , && [ ! -s "$folder/told" ]
}

an_unknown_word_is_named_and_the_others_work() {
	report leeks,leaks &&
		told '^belay: BELAY_REPORT: there is no report "leeks", '\
'only leaks, hogs and stacks$' &&
		told '^belay: nothing is left$'
}

plan 14
try a_hog_is_named_by_the_line_that_spawned_it a_hog_is_named_by_the_line_that_spawned_it
try who_sleeps_in_the_kernel_is_one who_sleeps_in_the_kernel_is_one
try one_is_named_that_runs_after_a_shutdown_too one_is_named_that_runs_after_a_shutdown_too
try who_yields_is_no_hog who_yields_is_no_hog
try a_report_may_be_had_before_the_end a_report_may_be_had_before_the_end
try without_hogs_it_says_so without_hogs_it_says_so
try stacks_are_measured_by_line stacks_are_measured_by_line
try a_large_stack_is_measured_too a_large_stack_is_measured_too
try a_task_with_a_large_stack_that_waits_for_ever_is_named \
	a_task_with_a_large_stack_that_waits_for_ever_is_named
try a_report_may_be_read_by_a_task_that_starts_others \
	a_report_may_be_read_by_a_task_that_starts_others
try a_stack_used_again_is_measured_anew a_stack_used_again_is_measured_anew
try several_words_work_together several_words_work_together
try no_word_says_nothing no_word_says_nothing
try an_unknown_word_is_named_and_the_others_work an_unknown_word_is_named_and_the_others_work
exit $failed
