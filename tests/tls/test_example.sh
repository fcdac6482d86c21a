#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_example.sh PROGRAM - examples/https_hello: what its README says, and its reload.
set -u
. "$(dirname "$0")/../package/tap.sh"
program=$1

certify() { # COMMON NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
		-subj "/CN=$1" -addext subjectAltName=DNS:localhost -keyout "$folder/key.pem" \
		-out "$folder/chain.pem" >/dev/null 2>&1
}

# Sets url, once it listens; what it says further is read from descriptor 3.
start() {
	mkfifo "$folder/pipe"
	"$program" "$folder/chain.pem" "$folder/key.pem" localhost:0 \
		>"$folder/pipe" 2>"$folder/complaint" &
	server=$!
	exec 3<"$folder/pipe"
	IFS= read -r -t 30 url <&3
	url=https://localhost:${url##*:}
}

says_hello() {
	[ "$(curl --silent --max-time 30 --cacert "$folder/chain.pem" "$url")" = 'hello stranger' ]
}

reloads() {
	certify renewed && kill -HUP $server && IFS= read -r -t 30 line <&3 &&
		[ "$line" = reloaded ] &&
		says_hello
}

stops() {
	kill -TERM $server && wait $server
}

names_what_is_missing() {
	! "$program" "$folder/none.pem" "$folder/key.pem" 2>"$folder/complaint" &&
		grep "none.pem: No such file" "$folder/complaint"
}

certify first || exit 1
start
plan 4
try curl_is_told_hello says_hello
try a_signal_has_it_read_its_certificate_again reloads
try another_one_stops_it stops
try a_file_that_is_missing_is_named names_what_is_missing
exit $failed
