#!/usr/bin/env bash
# outputs.sh <idelta_bench>: its files are refused before anything is measured, or whole after it.
source "${BASH_SOURCE[0]%/*}/../cli/setup.sh"

# refused <text> <argument>...: a run that would take minutes is refused at once, in one line.
refused() {
  local text=$1
  shift
  expect 1 --full "$@"
  (($(wc -l <err) == 1)) || fail "$last: not exactly one line on stderr"
  said err 'idelta_bench: '
  said err "$text"
  [[ ! -s out ]] || fail "$last: measured something"
}
mkfifo pipe
ln -s b a && ln -s a b
echo file >file
mkdir -p taken/table.txt piped
mkfifo piped/results.json
refused 'file is no folder' --out file
refused 'pipe is no folder' --out pipe
refused 'leads back to itself' --out a
refused 'is a folder' --out taken
refused 'is a pipe' --out piped
refused 'is a pipe' --benchmark_out=pipe
refused 'leads back to itself' --benchmark_out=a
refused 'does not exist' --benchmark_out=nowhere/file
refused 'names no file' --benchmark_out=
[[ -p pipe && -p piped/results.json && $(<file) == file ]] || fail 'a place that was refused is another now'

# What is there is replaced, through links and with its mode.
mkdir results
echo old >kept
chmod 600 kept
ln -s ../kept results/results.json
point=(--quick --n 64 --m 1 --threads 1 '--benchmark_filter=^forward/idelta/f32/')
expect 0 "${point[@]}" --out results
[[ -L results/results.json && $(stat -c %a kept) == 600 ]] || fail "$last: the link or the mode is another"
cp kept out
is_json
said out '"name": "forward/idelta/f32/'
said results/table.txt forward
(($(find . -name '.idelta-*' | wc -l) == 0)) || fail "$last: left a temporary file"
expect 0 "${point[@]}" --benchmark_out=alone.json
cp alone.json out
is_json

finish
