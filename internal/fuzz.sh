#!/bin/sh
# Runs every fuzz target of the repository for a time each: sh internal/fuzz.sh 5m
set -eu
cd "$(dirname "$0")/.."
time=${1:?"usage: $0 DURATION (30s, 5m, ...)"}
GO=${GO:-go}

list=$($GO test -list '^Fuzz' ./...)
targets=$(echo "$list" | awk '/^Fuzz/ { names = names " " $1 } /^ok/ { n = split(names, a, " "); for (i = 1; i <= n; i++) print $2 ":" a[i]; names = "" }')
for target in $targets; do
	echo "== $target for $time"
	$GO test -run '^$' -fuzz "^${target##*:}\$" -fuzztime "$time" "${target%%:*}"
done
