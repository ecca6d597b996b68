#!/usr/bin/env bash
# Signals while a verb works: they are obeyed at once, and neither half a file nor a folder without one is left.
# process.sh has those that come between batches of a training.
source "${BASH_SOURCE[0]%/*}/setup.sh"

# A test set that 100 layers need seconds for, of images that are all black.
mkdir large
cp data/train-* large
count=200000
{ word $((0x0803)) && word $count && word 8 && word 8 && head -c $((count * 64)) /dev/zero; } >large/t10k-images-idx3-ubyte
{ word $((0x0801)) && word $count && head -c $count /dev/zero; } >large/t10k-labels-idx1-ubyte
deep=(--layers 100 --batch 200 --lr 0.0001)
expect 0 train --data data "${deep[@]}" --epochs 1 --out deep.safetensors --quiet
ulimit -c 0

# begin <argument>...: a run in the background, $child. A shell ignores SIGINT and SIGQUIT for its background jobs; env gives them their
# effect back.
begin() {
  last="idelta $*"
  rm -f out err
  env --default-signal=INT,QUIT "$idelta" "$@" >out 2>err &
  child=$!
}
# await <command>...: until it succeeds.
await() {
  local waited=0
  until "$@" >/dev/null 2>&1; do
    ((++waited < 3000)) || { fail "$last: waited in vain for $*" && break; }
    sleep 0.01
  done
}
# send <signal> <exit code>: and the program ends with it, soon.
send() {
  local code=0 waited=0
  kill "-$1" "$child" 2>/dev/null || fail "$last: ended before SIG$1"
  while kill -0 "$child" 2>/dev/null && ((++waited < 100)); do sleep 0.02; done
  ((waited < 100)) || fail "$last: went on for two seconds after SIG$1"
  kill -KILL "$child" 2>/dev/null
  wait "$child" 2>/dev/null || code=$?
  ((code == $2)) || fail "$last: SIG$1: exit code $code, not $2"
}
nothing_at() { [[ ! -e $1 ]] || fail "$last: left $1"; }

# ---- The evaluation that closes a training --------------------------------------------------------------------------

for signal in INT:130 TERM:143 HUP:129; do
  begin train --data large "${deep[@]}" --epochs 1 --out made/here/evaluated.safetensors
  await grep -q 'epoch 1/1  done' err
  send "${signal%:*}" "${signal#*:}"
  said err 'interrupted after the last epoch'
  said err 'is saved: made/here/evaluated.safetensors'
  cmp made/here/evaluated.safetensors deep.safetensors || fail "$last: saved another model"
  rm -rf made
done

# One between epochs ends as soon; what is said then is where the training stood.
begin train --data large "${deep[@]}" --epochs 3 --eval-every 1 --out evaluated.safetensors
await grep -q 'epoch 1/3  done' err
send TERM 143
said err 'interrupted in epoch 1 of 3 after batch 1 of 1'
expect 0 eval evaluated.safetensors --data data

# A study keeps the checkpoint of a network that it could not evaluate: training is not done again.
begin study studied --data large "${deep[@]}" --seeds 1 --epochs 1 --controls none
await grep -q 'epoch 1/1  done' err
send TERM 143
said err 'the same command goes on'
[[ -s studied/layers100_seed1.checkpoint ]] || fail "$last: no checkpoint"
nothing_at studied/layers100_seed1.safetensors

# ---- The other verbs ------------------------------------------------------------------------------------------------

for signal in INT:130 TERM:143 HUP:129 QUIT:131; do
  begin eval deep.safetensors --data large
  await test -s out
  send "${signal%:*}" "${signal#*:}"
  begin compress deep.safetensors --data large --rank 4 --out made/here/c.safetensors
  await test -d made/here
  send "${signal%:*}" "${signal#*:}"
  nothing_at made
  begin predict deep.safetensors --data large --out made/here/labels.csv
  await test -d made/here
  send "${signal%:*}" "${signal#*:}"
  nothing_at made
  begin explain deep.safetensors --data large --out made/here/report
  await test -d made/here/report
  send "${signal%:*}" "${signal#*:}"
  nothing_at made
done
if "$idelta" bench --help | grep -q OpenBLAS; then
  begin bench --n 64 --m 16 --threads 1 --seconds 100
  await test -s out
  send TERM 143
fi

# The same before train has anything to save; a folder that was there, or has a file in it, stays.
begin train --data large "${deep[@]}" --out made/here/m.safetensors
await test -d made/here
send TERM 143
nothing_at made
mkdir -p made/here
begin predict deep.safetensors --data large --out made/here/there/labels.csv
await test -d made/here/there
touch made/here/mine
send TERM 143
nothing_at made/here/there
[[ -e made/here/mine ]] || fail "$last: removed another's file"

# ---- Errors leave no folder behind either ---------------------------------------------------------------------------

rm -rf made
for work in 'train --data nowhere' 'compress nowhere --rank 4' 'predict nowhere --data data' 'explain nowhere --data data'; do
  # shellcheck disable=SC2086 # words on purpose
  expect 3 $work --out made/here/it
  nothing_at made
done

finish
