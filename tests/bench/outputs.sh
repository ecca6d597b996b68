#!/usr/bin/env bash
# outputs.sh <idelta_bench>: its files are refused before anything is measured, or whole after it.
source "${BASH_SOURCE[0]%/*}/../cli/setup.sh"

# refused <text> <argument>...: a run that would take minutes is refused at once, in one line.
refused() {
  local text=$1
  shift
  expect 2 --full "$@"
  (($(wc -l <err) == 1)) || fail "$last: not exactly one line on stderr"
  said err 'idelta_bench: '
  said err "$text"
  [[ ! -s out ]] || fail "$last: measured something"
}
mkfifo pipe
ln -s b a && ln -s a b
ln -s nowhere dangling
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
refused 'is no folder but a file' --out file/
refused 'a link to nowhere, which does not exist' --out dangling
refused 'a link to nowhere, which does not exist' --out dangling/in
[[ -p pipe && -p piped/results.json && $(<file) == file ]] || fail 'a place that was refused is another now'

# What is missing in a list or behind an option is an error, not passed over.
for option in --n=8,,9 --m=,8 --threads=1, --n=8,many --layers=1,,2 --random-shapes=3,,4 --random-shapes=3,4,5 --part=1//2 \
  --part=1 --out= --model= --data= --verdict= --mode=; do
  expect 2 --quick "$option"
  said err "${option%%=*}"
  [[ ! -s out ]] || fail "$last: measured something"
done

# A run that is ended leaves no empty folder; one that has its files stays.
last='idelta_bench --out made/here, ended by SIGTERM'
rm -f out err
"$idelta" --full --out made/here >out 2>err &
child=$!
waited=0
until [[ -d made/here ]] || ((++waited > 3000)); do sleep 0.01; done
code=0
kill -TERM "$child"
wait "$child" 2>/dev/null || code=$?
((code == 143)) || fail "$last: exit code $code"
[[ ! -e made ]] || fail "$last: left a folder"

# What is there is replaced, through links and with its mode.
mkdir results
echo old >kept
chmod 600 kept
ln -s ../kept results/results.json
point=(--quick --n 64 --m 1 --threads 1 '--benchmark_filter=^forward/idelta/f32/')
ln -s ../points results/points.csv
echo old >points
ln points other_name
expect 0 "${point[@]}" --out results
[[ -L results/points.csv && $(head -c 5 points) == pass, && $(<other_name) == old ]] ||
  fail "$last: points.csv is written into what is there"
[[ -L results/results.json && $(stat -c %a kept) == 600 ]] || fail "$last: the link or the mode is another"
cp kept out
is_json
said out '"name": "forward/idelta/f32/'
said results/table.txt forward
(($(find . -name '.idelta-*' | wc -l) == 0)) || fail "$last: left a temporary file"
expect 0 "${point[@]}" --benchmark_out=alone.json
cp alone.json out
is_json

# The frontier of a small layer: every form and peer once, as JSON, CSV and a page that needs nothing else.
expect 0 --frontier --quick --n 64 --m 8 --threads 1 --out frontier
for text in 'error against time: forward, n 64, m 8' 'int8' 'lr8+int8' openblas; do said out "$text"; done
cp frontier/frontier.json out
is_json
for key in '"certificate"' '"error"' '"on_frontier": true'; do said frontier/frontier.json "$key"; done
points=$(grep -c '"seconds"' frontier/frontier.json)
(($(grep -c ^layer, frontier/frontier.csv) == points)) || fail "$last: not a line of CSV a point"
(($(grep -o '<circle' frontier/frontier.html | wc -l) == points)) || fail "$last: not a dot a point"
said frontier/frontier.html '<svg'
grep -qE '<script|src=|https?://' frontier/frontier.html && fail "$last: the page needs something else"
for mode in --frontier --auto-regret; do
  expect 2 $mode --n 64 --m 8 '--benchmark_filter=int8'
  said err "has no effect beside $mode"
done
expect 2 --auto-regret --model frontier/frontier.json
said err '--auto-regret'
mkdir -p occupied/frontier.html
expect 2 --frontier --n 64 --m 8 --out occupied
said err 'is a folder'

# AUTO against the fastest form that fits. On a busy machine it may be far from it.
code=0
"$idelta" --auto-regret --quick --n 64 --m 8 --threads 1 >out 2>err || code=$?
last='idelta_bench --auto-regret'
((code <= 1)) || fail "$last: exit code $code"
for text in sgemm ' f32 ' 'mean regret'; do said out "$text"; done

finish
