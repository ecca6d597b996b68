#!/usr/bin/env bash
# compress, and what the other verbs make of its files.
source "${BASH_SOURCE[0]%/*}/setup.sh"
train_model
expect 0 eval model.safetensors --data data --json
dense=$(number test_accuracy)

expect 2 compress model.safetensors
one_error --out
expect 2 compress model.safetensors --out c.safetensors
one_error --data --rank --sigma --tolerance
expect 2 compress model.safetensors --out data --rank 4
one_error data 'is a folder'
for option in --rank --sigma --tolerance; do
  for value in 0 -1 nan many; do
    expect 2 compress model.safetensors --out c.safetensors $option=$value
    one_error "$option" "$value"
  done
done
expect 2 compress model.safetensors --out c.safetensors --rank 4 --sigma 0.1
one_error --rank --sigma
expect 2 compress model.safetensors --out c.safetensors --rank 4 --tail int4
one_error --tail int4 int8
expect 2 compress model.safetensors --out c.safetensors --tolerance 1e-30
one_error --tolerance 1e-30 'layers 1, 2, 3, 4' 'no less'
expect 2 compress model.safetensors --out model.safetensors --rank 4 --drop-dense
one_error model.safetensors 'would be lost'
expect 3 compress nowhere.safetensors --out c.safetensors --rank 4
one_error nowhere.safetensors
[[ ! -e c.safetensors ]] || fail 'a refused compression wrote a model'

expect 0 compress model.safetensors --out made/too/ranks.safetensors --rank 4
for text in 'rank 4' certificate 'bytes of D' 'of the dense network'; do said out "$text"; done
grep -q accuracy out && fail "$last: an accuracy without --data"
[[ ! -s err ]] || fail "$last: progress where there is no terminal"
expect 0 compress model.safetensors --out small.safetensors --rank 4 --drop-dense --data data
for text in 'test accuracy' 'without a guarantee' 'of the labels are the same'; do said out "$text"; done
(($(wc -c <small.safetensors) * 4 < $(wc -c <model.safetensors))) || fail "$last: is not much smaller"
expect 0 compress model.safetensors --out tails.safetensors --rank 4 --tail int8 --drop-dense --data data
for text in 'rank 4 + int8' '4 + int8 (' 'of the labels are the same'; do said out "$text"; done
(($(wc -c <tails.safetensors) * 2 < $(wc -c <model.safetensors))) || fail "$last: is not smaller"
expect 0 compress model.safetensors --out tails.safetensors --tail int8 --json
is_json
for text in '"name": "int8"' '"rank": 0' '"tail": "int8"'; do said out "$text"; done
expect 0 predict tails.safetensors --data data --guarantee label
said out int8
expect 0 compress model.safetensors --out chosen.safetensors --data data --explain
for text in Considered sigma 'rank 32 + int8' 'first form: labels take' "of the dense network's time"; do
  said out "$text"
done
expect 0 compress model.safetensors --out chosen.safetensors --data data --json
is_json
(($(grep -c '"certificate":' out) >= 4)) || fail "$last: not a certificate a layer"
(($(grep -c '"verdict":' out) == 36)) || fail "$last: not a verdict a candidate"
holds "$(number label_agreement) >= 0 && $(number dense_test_accuracy) == $dense"
cp chosen.safetensors once.safetensors
expect 0 compress model.safetensors --out chosen.safetensors --data data --threads 1
cmp -s chosen.safetensors once.safetensors || fail "$last: other forms with one thread"
expect 0 compress chosen.safetensors --out chosen.safetensors --rank 2
expect 3 compress small.safetensors --out c.safetensors --rank 2
one_error small.safetensors 'dropped D'

expect 0 eval chosen.safetensors --data data
for text in compressed 'rank 2' ', dense'; do said out "$text"; done
expect 0 eval model.safetensors --data data --rank 4 --tail int8
for text in '4 + int8' certificate 'is in int8' 'in fp32'; do said out "$text"; done
expect 0 eval model.safetensors --data data --rank 4 --tail int8 --json
is_json
for text in '"rank": 4' '"tail": "int8"'; do said out "$text"; done
expect 0 eval model.safetensors --data data --compute int8
for text in 'Every D is in int8' certificate; do said out "$text"; done
expect 0 eval model.safetensors --data data --compute int8 --json
is_json
said out '"compute": "int8"'
expect 2 eval model.safetensors --data data --compute int4
one_error --compute int4 int8
expect 2 eval model.safetensors --data data --tail int8
one_error --tail --rank
expect 0 eval model.safetensors --data data --rank 4 --tail none --json
is_json
said out '"tail": null'
expect 2 eval model.safetensors --data data --rank 4 --compute int8
one_error --rank --compute
expect 0 eval small.safetensors --data data
for text in compressed 'D was dropped' 'form rank 4, and of D where the file kept it'; do said out "$text"; done
expect 0 eval small.safetensors --data data --json
is_json
said out '"has_dense": false'
expect 3 eval small.safetensors --data data --rank 2
one_error small.safetensors 'dropped D'
expect 0 explain small.safetensors --data data --out report

grep -q 'D was dropped' out || fail "$last: does not say that D was dropped"
said out 'form rank 4, and of D where the file kept it'
expect 0 explain small.safetensors --data data --out report --json
is_json
said out '"has_dense": false'

# Another D under the same forms: one byte in the middle of layer 1.
cp chosen.safetensors damaged.safetensors
printf 'x' | dd of=damaged.safetensors bs=1 conv=notrunc status=none \
  seek=$((8 + $(od -An -tu8 -N8 chosen.safetensors) + 8000))
expect 3 eval damaged.safetensors --data data
one_error damaged.safetensors 'layer 1' 'compress the dense model again'

finish
