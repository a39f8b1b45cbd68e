#!/bin/sh
# One fuzz target for so many seconds: sh fuzz/run.sh TARGET SECONDS [libFuzzer's own words]
set -eu
target=$1
seconds=$2
shift 2
cd "$(dirname "$0")/.."
mkdir -p "fuzz/corpus/$target"
dict=fuzz/dicts/$target
if [ -f "$dict" ]; then set -- -dict="$dict" "$@"; fi
# Memory: no input has more than some kilobytes, so none may ask for a gigabyte.
exec cargo +nightly fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
    -max_total_time="$seconds" -timeout=20 -max_len=4096 \
    -rss_limit_mb=3072 -malloc_limit_mb=1024 "$@"
