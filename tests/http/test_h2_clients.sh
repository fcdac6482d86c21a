#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_h2_clients.sh FOLDER - HTTP/2 as curl, nghttp and h2load speak it, with prior knowledge, to
# the servers among the examples.
set -u
. "$(dirname "$0")/../package/tap.sh"
programs=$1
h2() { curl --silent --show-error --max-time 30 --http2-prior-knowledge "$@"; }

# Starts a program on a free port; its address goes to the variable NAME, its process to NAME_pid.
start() { # NAME PROGRAM ARGUMENTS...
	local name=$1 line

	mkfifo "$folder/$name.pipe"
	"$programs/$2" "${@:3}" 127.0.0.1:0 >"$folder/$name.pipe" 2>"$folder/$name.log" &
	declare -g "${name}_pid=$!"
	exec {out}<"$folder/$name.pipe"
	IFS= read -r -t 30 line <&"$out" || cat "$folder/$name.log" >&2
	declare -g "$name=${line%/}"
}

speaks_two() {
	[ "$(h2 -w '%{http_version}' "$hello/hello/world")" = $'hello world\n2' ]
}

takes_a_file() {
	h2 "$files/large" | cmp - "$folder/www/large" && [ "$(h2 -r 2-4 "$files/small")" = 234 ]
}

gives_up() {
	! h2 --max-time 0.3 "$hello/slow" && speaks_two
}

answers_nghttp() {
	[ "$(nghttp "$hello/hello/nghttp")" = 'hello nghttp' ]
}

answers_h2load() {
	h2load -n 2000 -c 4 -m 32 "$hello/hello/load" | tee /dev/stderr | grep ' 2000 succeeded'
}

end() { # PROCESS
	kill -TERM "$1" && wait "$1"
}

mkdir "$folder/www"
head -c 5000000 /dev/urandom >"$folder/www/large"
echo -n 0123456789 >"$folder/www/small"
start hello http_hello
start files file_server "$folder/www"
plan 7
try curl_is_answered_over_http2 speaks_two
try curl_takes_a_file_and_a_part_of_one takes_a_file
try curl_that_gives_up_leaves_the_server_to_others gives_up
if command -v nghttp >/dev/null; then
	try nghttp_is_answered answers_nghttp
	try h2load_is_answered_each_time answers_h2load
else
	skip nghttp_is_answered 'no nghttp'
	skip h2load_is_answered_each_time 'no h2load'
fi
try the_greeting_ends end $hello_pid
try the_file_server_ends end $files_pid
exit $failed
