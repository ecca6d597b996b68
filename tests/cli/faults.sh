#!/usr/bin/env bash
# A disk that is full or lost, and kill -9, at every point of a save: the last good files stay, whole, and the next run
# needs no help. Called with file_faults.so, which makes these faults, as the second argument.
shopt -s nullglob
preloaded=$(realpath "$2")
source "${BASH_SOURCE[0]%/*}/setup.sh"

# with_fault <fault> <argument>...: idelta with the fault; its exit code is $code.
with_fault() {
  local fault=$1
  shift
  last="IDELTA_FAULT=$fault idelta $*"
  code=0
  { LD_PRELOAD="$preloaded" IDELTA_FAULT="$fault" "$idelta" "$@" >out 2>err; } 2>/dev/null || code=$?
}

# is_whole <file>: by its end, which a file that was cut has lost.
is_whole() {
  case $1 in
    *.safetensors) "$idelta" eval "$1" --data data >/dev/null 2>&1 ;;
    *.checkpoint) "$idelta" train --data data --resume "$1" --out whole.safetensors --quiet >/dev/null 2>&1 ;;
    *.html) [[ $(tail -c 8 "$1") == '</html>' ]] ;;
    *.json) cp "$1" out && is_json ;;
    *.csv) [[ $(tail -c 1 "$1" | od -An -tx1) == ' 0a' ]] ;;
    *.png) [[ $(tail -c 8 "$1" | od -An -tx1) == ' 49 45 4e 44 ae 42 60 82' ]] ;;
    *.npy) [[ -s $1 ]] ;;
    *) fail "$last: left $1" ;;
  esac
}

# old_or_new <old folder> <new folder> <folder>: each file is one of the old ones or of the new ones, or is new of its
# kind and whole. A killed program may leave a file that waits for its name, and one that lost its disk a rescued one.
old_or_new() {
  local file
  if ((code == 137)); then rm -f "$3"/.idelta-*; fi
  for file in "$3"/.idelta-* "$3"/* "$3"/idelta-rescued-*/*; do
    [[ -f $file ]] || continue  # not the folder of a rescue
    cmp -s "$file" "$1/${file##*/}" || cmp -s "$file" "$2/${file##*/}" || is_whole "$file" ||
      fail "$last: $file is cut"
  done
  for file in "$1"/*; do
    [[ -e $3/${file##*/} ]] || fail "$last: $file is gone"
  done
}

# attack <every> <folder> <argument>...: the command, which writes into the folder, is killed at its 1st, 1 + every th,
# ... call on files, loses its disk and finds it full, until it gets through; and then gets through by itself.
attack() {
  local every=$1 made=$2 step kind
  shift 2
  cp -r "$made" old
  expect 0 "$@"
  cp -r "$made" new
  for kind in kill sync; do
    for ((step = 1; step < 1000; step += every)); do
      rm -r "$made"
      cp -r old "$made"
      with_fault $kind:$step "$@"
      old_or_new old new "$made"
      # Of a checkpoint that is not written only a warning tells.
      ((code != 0)) || grep -q 'cannot be' err || break
      [[ $kind:$code == kill:137 ]] || [[ $kind == sync && $code -le 3 ]] || fail "$last: exit code $code"
    done
    ((step > 1)) || fail "$last: nothing was attacked"
  done
  for step in 0 1 7 64 1000 5000 20000; do
    rm -r "$made"
    cp -r old "$made"
    with_fault full:$step "$@"
    old_or_new old new "$made"
    ((code == 0)) || grep -q 'No space left' err || fail "$last: says nothing of a full disk"
    ((step > 0 || code != 0)) || fail "$last: wrote on a full disk"
  done
  expect 0 "$@"
  rm -r old new
}

mkdir models
expect 0 train "${small[@]}" --out models/model.safetensors --quiet
attack 1 models train "${small[@]}" --seed 2 --out models/model.safetensors --quiet
attack 2 models compress models/model.safetensors --data data --rank 3 --out models/compressed.safetensors
attack 3 models compress models/model.safetensors --data data --out models/compressed.safetensors
attack 2 models predict models/model.safetensors --data data --out models/labels.csv
attack 5 models train "${small[@]}" --out models/model.safetensors --checkpoint models/run.checkpoint --quiet
attack 3 models train --data data --resume models/run.checkpoint --out models/resumed.safetensors --quiet

mkdir report study
attack 13 report explain models/model.safetensors --data data --out report --quick
attack 11 report explain models/model.safetensors --data data --out report --quick --images 2
study=(--data data --layers 2 --seeds 2 --epochs 2 --lr 0.01 --batch 20 --quiet)
attack 7 study study study "${study[@]}"
expect 0 study study "${study[@]}" --json
is_json

finish
