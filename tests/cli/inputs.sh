#!/usr/bin/env bash
# Models and data sets that cannot be used.
source "${BASH_SOURCE[0]%/*}/setup.sh"
train_model

expect 3 train --data nowhere --out m.safetensors
one_error nowhere
expect 3 eval nowhere.safetensors --data data
one_error nowhere.safetensors
head -c 1000 model.safetensors >short.safetensors
expect 3 eval short.safetensors --data data
one_error short.safetensors
printf 'not a model at all' >foreign.safetensors
expect 3 eval foreign.safetensors --data data
one_error foreign.safetensors
cp -r data cut
head -c 300 data/train-images-idx3-ubyte.gz >cut/train-images-idx3-ubyte.gz
expect 3 train --data cut --out m.safetensors
one_error cut/train-images-idx3-ubyte.gz
cp -r data uneven
labels 39 >uneven/t10k-labels-idx1-ubyte
expect 3 eval model.safetensors --data uneven
one_error uneven/t10k-labels-idx1-ubyte 39 40
mkdir narrow
for split in train t10k; do
  { word $((0x0803)) && word 1 && word 1 && word 2 && byte 1 && byte 2; } >narrow/$split-images-idx3-ubyte
  labels 1 >narrow/$split-labels-idx1-ubyte
done
expect 3 eval model.safetensors --data narrow
one_error model.safetensors narrow '8 x 8' '1 x 2'
"$idelta" info >/dev/full 2>err && fail 'idelta info >/dev/full: no error for a full disk'

finish
