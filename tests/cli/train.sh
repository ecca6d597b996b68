#!/usr/bin/env bash
# train, eval and explain: a small run from training to pictures, eval --rank, and controls.
source "${BASH_SOURCE[0]%/*}/setup.sh"

# ---- train, eval, explain ----------------------------------------------------------------------------------------

expect 0 train "${small[@]}" --out made/here/model.safetensors
said out 'test accuracy'
said out made/here/model.safetensors
said err 'epoch 5/5'
grep -q $'\r' err && fail "$last: drew a bar where there is no terminal"
said out 'leaky_relu:0.1, identity scale 1, class padding 0'
[[ -s made/here/model.safetensors ]] || fail "$last: no model"

expect 0 train "${small[@]}" --out model.safetensors --json --quiet --threads 1
is_json
[[ ! -s err ]] || fail "$last: not quiet"
holds "$(number test_accuracy) > 0.9"
said out '"leaky_relu:0.1"'
cmp -s made/here/model.safetensors model.safetensors || fail "$last: the same seed gave another model"
expect 0 train "${small[@]}" --out bf16.safetensors --quiet --compute bf16
said out 'compute'
cmp -s bf16.safetensors model.safetensors && fail "$last: --compute bf16 trained as f32 does"
expect 0 train "${small[@]}" --out leaky.safetensors --activation leaky_relu --quiet
cmp -s leaky.safetensors model.safetensors || fail "$last: leaky_relu without a slope is not the default network"
expect 0 train "${small[@]}" --out relu.safetensors --activation relu --quiet --limit 50 --eval-every 2
said err 'idelta: warning: '
said out 'after epoch 4'

expect 0 eval model.safetensors --data data
for text in 'cross-entropy' '‖D‖₂' input 'test accuracy' ulp; do said out "$text"; done
expect 0 eval --model model.safetensors --data data --json
is_json
holds "$(number test_accuracy) > 0.9 && $(number input_accuracy) == 0.25 && $(number completeness_ulp) < 4"
said out '"complete": true'
(($(grep -c '"layer":' out) == 4)) || fail "$last: not a row a layer"
said out '"compute": "f32"'
said out '"bf16_product": null'
for product in rounded widened; do
  IDELTA_BF16=$product expect 0 train --data data --layers 4 --epochs 1 --out $product.safetensors --quiet --compute bf16
  expect 0 eval $product.safetensors --data data --json
  is_json
  said out '"compute": "bf16"'
  said out "\"bf16_product\": \"$product\""
done

expect 0 explain model.safetensors --data data --out report
for text in report/contribution_maps.png report/report.json 'layer 4'; do said out "$text"; done
[[ $(head -c 4 report/contribution_maps.png | od -An -tx1) == ' 89 50 4e 47' ]] || fail "$last: the sheet is not a PNG"
cp report/report.json out
is_json
expect 2 explain model.safetensors --data data --out report --images 3,40
one_error --images 40 39

# ---- eval --rank: every D truncated --------------------------------------------------------------------------------

for rank in 0 -1 1.5 nan many; do
  expect 2 eval model.safetensors --data data --rank=$rank
  one_error --rank "$rank"
done
expect 0 eval model.safetensors --data data --json
dense=$(number test_accuracy)
expect 0 eval model.safetensors --data data --json --rank 32
is_json
holds "$(number dense_test_accuracy) == $dense && $(number test_accuracy) > $dense - 0.05"
holds "$(number rank) == 32 && $(number multiplications_share) > 0 && $(number multiplications_share) <= 2 * 32 / 68"
(($(grep -c '"certificate":' out) == 4)) || fail "$last: not a certificate a layer"
awk '/"layer":/ { inside = 1 } inside && /"rank":/ { if ($2 + 0 < 1 || $2 + 0 > 32) exit 1 }' out ||
  fail "$last: a layer's rank is not within 1 to 32"
expect 0 eval model.safetensors --data data --rank 32
for text in rank certificate 'dense test accuracy' 'multiplications'; do said out "$text"; done
expect 0 eval model.safetensors --data data --rank 1000000
said out '(+0.00)'

# ---- Controls and losses --------------------------------------------------------------------------------------------

expect 0 train "${small[@]}" --out shuffled.safetensors --shuffle-labels 1 --json --quiet
is_json
said out '"shuffled_labels": 1'
holds "$(number test_accuracy) < 0.6"
expect 0 train "${small[@]}" --out shuffled.safetensors --shuffle-labels 1
said out 'permuted by seed 1'
expect 0 train "${small[@]}" --out layer_loss.safetensors --layer-loss 0.5 --json --quiet
holds "$(number layer_loss) == 0.5 && $(number test_accuracy) > 0.9"
cmp -s layer_loss.safetensors model.safetensors && fail "$last: --layer-loss changed nothing"

finish
