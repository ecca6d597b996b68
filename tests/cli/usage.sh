#!/usr/bin/env bash
# Help, version, wrong usage, and the verbs that need no model.
source "${BASH_SOURCE[0]%/*}/setup.sh"

# ---- Help, version, usage ----------------------------------------------------------------------------------------

expect 0 --help
for text in info train eval explain compress predict bench Example 'Exit codes' 130; do said out "$text"; done
for verb in info train eval explain compress predict bench; do
  expect 0 "$verb" --help
  said out Example
  said out "idelta $verb"
  awk 'length > 100' out | grep -q . && fail "$last: a line is wider than 100 columns"
done
expect 0 --version
said out 'idelta '

expect 2
one_error 'no verb'
expect 2 frobnicate
one_error frobnicate train
expect 2 info --frobnicate
one_error --frobnicate 'idelta info --help'
expect 2 info --isa sse9
one_error sse9 avx2
expect 2 info --threads -3
one_error --threads -3
expect 2 train --data data
one_error --out
expect 2 train --data data --out m.safetensors --epochs many
one_error --epochs many
expect 2 train --data data --out m.safetensors --activation relu6
one_error relu6 hard_tanh
expect 2 train --data data --out m.safetensors --activation leaky_relu:2
one_error leaky_relu:2
for slope in nan inf 1e39 0 -0.1; do
  expect 2 train --data data --out m.safetensors --activation leaky_relu:$slope
  one_error "leaky_relu:$slope" 'between 0 and 1'
done
for option in --lr --momentum --weight-decay --padding --identity-scale; do
  for value in nan inf -inf 1e39; do
    expect 2 train --data data --out m.safetensors $option=$value
    one_error "$option" "$value"
  done
done
expect 2 train --data data --out m.safetensors --compute low_rank
one_error low_rank bf16
expect 2 train --data data --out m.safetensors --optimizer lbfgs
one_error lbfgs adamw
expect 2 train --data data --out m.safetensors --compute fp8
one_error fp8 bf16x3
expect 2 train --data data --out m.safetensors --momentum 1.5
one_error momentum 1.5
expect 2 train --data data --out data
one_error data 'is a folder'
[[ ! -e m.safetensors ]] || fail 'a refused training wrote a model'

# ---- info --------------------------------------------------------------------------------------------------------

expect 0 info --isa scalar --threads 1
for text in CPU scalar Threads AVX-512 AMX; do said out "$text"; done
expect 0 info --json
is_json
said out '"isa"'

# ---- bench -------------------------------------------------------------------------------------------------------

expect 2 bench --n 0
one_error --n 0

finish
