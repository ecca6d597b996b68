#!/usr/bin/env bash
# Signals: train saves what there is.
source "${BASH_SOURCE[0]%/*}/setup.sh"

# interrupt <signal> <exit code>: stops a training that would take hours, in its first epochs.
interrupt() {
  local code=0 waited=0
  last="idelta train, stopped by $1"
  rm -f stopped.safetensors err
  # A program that does not stop must fail the test, not hang it; timeout passes the signal on.
  timeout --foreground --signal=KILL 120 \
    "$idelta" train --data data --layers 4 --epochs 10000000 --batch 20 --out stopped.safetensors >out 2>err &
  local child=$!
  until grep -qs 'epoch 2/' err || ((++waited > 600)); do sleep 0.1; done
  kill "-$1" "$child"
  wait "$child" || code=$?
  ((code == $2)) || fail "$last: exit code $code, not $2"
  said err interrupted
  said err stopped.safetensors
  expect 0 eval stopped.safetensors --data data
}
interrupt INT 130
interrupt TERM 143
(($(find . -name '*.part-*' | wc -l) == 0)) || fail 'temporary files were left behind'

finish
