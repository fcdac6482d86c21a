#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_servers.sh FOLDER - the examples that are servers do what their comments say, asked by curl,
# and end in good order.
set -u
. "$(dirname "$0")/../package/tap.sh"
programs=$1
curl() { command curl --silent --show-error --max-time 30 "$@"; }

# Starts a program on a free port; its address goes to the variable NAME, its process to NAME_pid,
# its log to a file.
start() { # NAME PROGRAM ARGUMENTS...
	local name=$1 line

	mkfifo "$folder/$name.pipe"
	"$programs/$2" "${@:3}" 127.0.0.1:0 >"$folder/$name.pipe" 2>"$folder/$name.log" &
	declare -g "${name}_pid=$!"
	exec {out}<"$folder/$name.pipe"
	IFS= read -r -t 30 line <&"$out" || cat "$folder/$name.log" >&2
	declare -g "$name=${line%/}"
}

is() { # EXPECTED COMMAND...
	local got

	got=$("${@:2}") || return
	[ "$got" = "$1" ] || { echo "$got"; return 1; }
}

status_of() { curl -o /dev/null -w '%{http_code}' "$@"; }

ends() { # PROCESS
	kill -TERM "$1" && wait "$1"
}

# ---- http_hello ----

greets() { is 'hello world' curl "$hello/hello/world"; }
keeps_time() { is 503 status_of "$hello/slow?timeout=50ms"; }

# ---- file_server ----

serves_files() { is 0123456789 curl "$files/a.txt" && is 404 status_of "$files/none"; }
serves_a_range() { is 234 curl -r 2-4 "$files/a.txt"; }
leads_nowhere_else() {
	is 400 status_of --path-as-is "$files/../secret" && is 404 status_of "$files/..%2fsecret" ||
		is 400 status_of "$files/..%2fsecret"
}
compresses() {
	curl --compressed -D "$folder/head" -o "$folder/got" "$files/big.txt" &&
		grep -i '^content-encoding:' "$folder/head" &&
		cmp "$folder/got" "$folder/www/big.txt"
}

# ---- json_api ----

adds_notes() {
	is '{"id": 1, "text": "milk \"fresh\""}' \
		curl -d '{"text": "milk \"fresh\""}' "$notes/notes" &&
		is '{"id": 2, "text": "ähre"}' curl -d '{"text": "ähre"}' "$notes/notes"
}
lists_notes() {
	is '[{"id": 1, "text": "milk \"fresh\""}, {"id": 2, "text": "ähre"}]' curl "$notes/notes"
}
forgets_notes() {
	is '{"id": 1, "text": "milk \"fresh\""}' curl -X DELETE "$notes/notes/1" &&
		is '{"error": "no such note"}' curl "$notes/notes/1" &&
		is 404 status_of "$notes/notes/1"
}
refuses_what_is_no_note() {
	is 400 status_of -d 'nonsense' "$notes/notes" &&
		is 400 status_of -d '{"text": 1}' "$notes/notes" &&
		is 405 status_of -X PUT "$notes/notes"
}

# ---- events ----

says_until() { # EXPECTED TEXT
	for _ in $(seq 3000); do
		is "$1" curl -d "$2" "$events/say" && return
		sleep 0.01
	done
	return 1
}

# What has been said is heard by those who listened before: so it is said until somebody hears it.
is_heard() {
	says_until 'heard by 1' "$1" || return
	IFS= read -r -t 30 line <&"$heard" && [ "$line" = "data: $1" ] &&
		IFS= read -r -t 30 line <&"$heard"
}
all_hear() {
	mkfifo "$folder/heard"
	command curl --silent -N "$events/listen" >"$folder/heard" &
	listener=$!
	exec {heard}<"$folder/heard"
	is_heard 'hello, all' && is_heard 'and again'
}
one_who_leaves_is_forgotten() {
	kill $listener
	says_until 'heard by 0' gone
}

# ---- reverse_proxy, in front of the others ----

hands_on() { is 'hello world' curl "$proxy/hello/world" && is 404 status_of "$proxy/none"; }
hands_deadlines_on() { is 503 status_of -H 'Request-Timeout: 50ms' "$proxy/slow"; }
hands_bodies_on() {
	is '{"id": 3, "text": "by proxy"}' curl -d '{"text": "by proxy"}' "$notes_proxy/notes" &&
		is 200 status_of -I "$notes_proxy/notes"
}
# The line is written once the answer has gone out.
hands_a_trace_on() {
	curl -H 'X-Trace-Id: mine-1' "$notes_proxy/notes/2" || return
	for _ in $(seq 3000); do
		grep -q 'mine-1.*GET /notes/2' "$folder/notes.log" && return
		sleep 0.01
	done
	cat "$folder/notes.log"
	return 1
}
tells_who_is_missing() { is 502 status_of "$nowhere/"; }

mkdir "$folder/www"
printf 0123456789 >"$folder/www/a.txt"
printf secret >"$folder/secret"
seq 20000 >"$folder/www/big.txt"
plan 19

start hello http_hello
try http_hello_greets greets
try http_hello_ends_what_takes_too_long keeps_time
start files file_server "$folder/www"
try file_server_serves_files serves_files
try file_server_serves_a_range serves_a_range
try file_server_compresses compresses
try file_server_leads_nowhere_else leads_nowhere_else
start events events
try events_all_hear_what_one_says all_hear
try events_one_who_leaves_is_forgotten one_who_leaves_is_forgotten
if [ -x "$programs/json_api" ]; then
	start notes json_api "$folder/notes.db"
	try json_api_adds_notes adds_notes
	try json_api_lists_notes lists_notes
	try json_api_forgets_notes forgets_notes
	try json_api_refuses_what_is_no_note refuses_what_is_no_note
	start notes_proxy reverse_proxy "$notes"
	try reverse_proxy_hands_bodies_on hands_bodies_on
	try reverse_proxy_hands_the_trace_on hands_a_trace_on
	try notes_end_when_told_to eval 'ends $notes_proxy_pid && ends $notes_pid'
else
	for name in adds_notes lists_notes forgets_notes refuses_what_is_no_note; do
		skip "json_api_$name" "there is no SQLite, or no jansson"
	done
	skip reverse_proxy_hands_bodies_on "there is no json_api"
	skip reverse_proxy_hands_the_trace_on "there is no json_api"
	skip notes_end_when_told_to "there is no json_api"
fi
start proxy reverse_proxy "$hello"
start nowhere reverse_proxy http://127.0.0.1:1
try reverse_proxy_hands_requests_on hands_on
try reverse_proxy_hands_deadlines_on hands_deadlines_on
try reverse_proxy_tells_who_is_missing tells_who_is_missing
all_end() {
	for pid in $hello_pid $files_pid $events_pid $proxy_pid $nowhere_pid; do
		ends "$pid" || return
	done
}
try all_end_when_told_to all_end
exit $failed
