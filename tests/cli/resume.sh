#!/usr/bin/env bash
# train --checkpoint and --resume, and study: whatever interrupts them, they go on to the same bytes.
source "${BASH_SOURCE[0]%/*}/setup.sh"

# started <pattern> <argument>...: idelta in the background until its stderr has the pattern; its process is $child.
started() {
  local pattern=$1 waited=0
  shift
  last="idelta $*"
  env --default-signal=INT "$idelta" "$@" >out 2>err &
  child=$!
  until grep -qs -- "$pattern" err || ((++waited > 600)); do sleep 0.02; done
}
# ended <code>: the program that was started ends so by itself.
ended() {
  local code=0 waited=0
  while kill -0 "$child" 2>/dev/null && ((++waited < 600)); do sleep 0.05; done
  kill -KILL "$child" 2>/dev/null
  wait "$child" 2>/dev/null || code=$?
  ((code == $1)) || fail "$last: exit code $code, not $1"
}

# ---- train ---------------------------------------------------------------------------------------------------------

run=(train --data data --layers 3 --epochs 3000 --batch 20 --lr 0.001 --decay-epochs 100 --compute bf16)
expect 0 "${run[@]}" --out whole.safetensors --quiet

started 'epoch 20/' "${run[@]}" --out stopped.safetensors --checkpoint made/run.checkpoint --checkpoint-every 0.05
kill -INT "$child"
ended 130
said err 'idelta train --resume made/run.checkpoint --data data --out stopped.safetensors'
[[ -s stopped.safetensors ]] || fail "$last: no model"
cmp -s stopped.safetensors whole.safetensors && fail "$last: was not interrupted"

# From here on a kill without warning, which leaves the last checkpoint.
started 'epoch [0-9]*/' train --data data --resume made/run.checkpoint --out stopped.safetensors --checkpoint-every 0.05
sleep 0.2
kill -KILL "$child"
wait "$child" 2>/dev/null
cp made/run.checkpoint kept.checkpoint
expect 0 train --data data --resume made/run.checkpoint --out resumed.safetensors --checkpoint-every 1000 --quiet \
  --threads 1 --epochs 3000
said out 'resumed from'
cmp resumed.safetensors whole.safetensors || fail "$last: other bytes than without a break"
cmp kept.checkpoint made/run.checkpoint || fail "$last: wrote a checkpoint before its time"

# After each epoch, without --checkpoint-every; a finished run has nothing left to do.
run=(train --data data --layers 2 --epochs 2 --batch 20)
expect 0 "${run[@]}" --out short.safetensors --checkpoint short.checkpoint --quiet
expect 0 train --data data --resume short.checkpoint --out again.safetensors --json --quiet
is_json
holds "$(number epochs_done) == 2 && $(number train_accuracy) > 0"
cmp again.safetensors short.safetensors || fail "$last: trained on"

refused() {
  expect "$1" train --data data --resume short.checkpoint --out refused.safetensors "${@:4}"
  one_error "$2" "$3"
  [[ ! -e refused.safetensors ]] || fail "$last: left a file"
}
refused 2 --epochs '3 here, but 2 in short.checkpoint' --epochs 3
refused 2 --lr 0.5 --lr 0.5
refused 2 --activation 'slope is 0.2 here' --activation leaky_relu:0.2
refused 2 --optimizer adamw --optimizer adamw
refused 3 short.checkpoint 'images is 200, not 100' --limit 100
refused 2 --checkpoint refused.safetensors --checkpoint refused.safetensors
refused 2 --checkpoint 'a file of the data set' --checkpoint data/t10k-images-idx3-ubyte
expect 3 train --data data --resume again.safetensors --out refused.safetensors
one_error again.safetensors 'no checkpoint'
expect 3 train --data data --resume missing.checkpoint --out refused.safetensors
one_error missing.checkpoint
expect 2 "${run[@]}" --out refused.safetensors --checkpoint-every 5
one_error --checkpoint-every
for value in 0 -1 nan; do
  expect 2 "${run[@]}" --out refused.safetensors --checkpoint c --checkpoint-every $value
  one_error --checkpoint-every $value
done
printf 'x' | dd of=short.checkpoint bs=1 seek=9000 conv=notrunc status=none
expect 3 train --data data --resume short.checkpoint --out refused.safetensors
one_error short.checkpoint 'damaged'

# ---- study ---------------------------------------------------------------------------------------------------------

study=(--data data --layers 2,4 --seeds 2,1 --epochs 5,200 --lr 0.01,0.001 --decay-epochs 0 --batch 20 --compute f32)
expect 0 study whole "${study[@]}" --quiet
for text in 'true' 'permuted' '±' 'rises'; do said out "$text"; done
(($(find whole -type f | wc -l) == 7)) || fail "$last: not five models and two tables"
(($(wc -l <whole/study.csv) == 1 + 3 * 2 + 2 * 4)) || fail "$last: not a row a network and layer"
cp whole/study.json out
is_json

# A network of a study is what train makes of the same options.
expect 0 train --data data --layers 4 --epochs 200 --lr 0.001 --batch 20 --seed 1 --out alone.safetensors --quiet
cmp alone.safetensors whole/layers4_seed1.safetensors || fail "$last: another network than the study's"

started 'layers4_seed1  epoch 20/' study broken "${study[@]}"
kill -TERM "$child"
ended 143
said err "the same command goes on: idelta study broken --data data"
[[ -s broken/layers4_seed1.checkpoint ]] || fail "$last: no checkpoint"
(($(wc -l <broken/study.csv) == 1 + 3 * 2)) || fail "$last: its tables have not what is done"
touch -d '2001-01-01' broken/layers2_seed1.safetensors
expect 0 study broken "${study[@]}" --threads 1 --json
is_json
holds "$(number done) == 5 && $(number networks) == 5"
for model in whole/*.safetensors; do
  cmp "$model" "broken/${model#*/}" || fail "$last: other bytes than without a break"
done
[[ ! -e broken/layers4_seed1.checkpoint ]] || fail "$last: left its checkpoint"
[[ broken/layers2_seed1.safetensors -ot data ]] || fail "$last: trained again what was done"
cut -d, -f 1-10 whole/study.csv >before
cut -d, -f 1-10 broken/study.csv | cmp - before || fail "$last: another table than without a break"

# What is there and of other settings is refused before any work, and so is what is damaged.
expect 2 study broken --data data --layers 2 --seeds 3 --epochs 6 --lr 0.01 --batch 20 --compute f32
one_error broken/layers2_seed1.safetensors 'epochs is 5, not 6'
expect 2 study broken "${study[@]}" --limit 100
one_error broken/layers2_seed1.safetensors data_hash
expect 2 study broken "${study[@]}" --padding 0.1
one_error broken/layers2_seed1.safetensors 'class_padding is 0, not 0.1'
printf 'x' | dd of=broken/layers2_seed1.safetensors bs=1 seek=9000 conv=notrunc status=none
expect 3 study broken "${study[@]}"
one_error broken/layers2_seed1.safetensors 'damaged'
rm broken/layers2_seed1.safetensors
echo '{' >broken/study.json
expect 3 study broken "${study[@]}"
one_error broken/study.json

for option in --layers:2,2 --layers:0 --layers:2, --seeds:0 --seeds:1,2 --seeds:1001 --epochs:0 --epochs:1.5 --lr:-1 \
  --lr:nan --decay-epochs:-1 --compute:f31 --controls:some; do
  expect 2 study refused --data data "${option%%:*}=${option#*:}"
  one_error "${option%%:*}" "${option##*[:,]}"
  [[ ! -e refused ]] || fail "$last: made its folder"
done
expect 2 study data/train-images-idx3-ubyte.gz "${study[@]}"
one_error FOLDER

finish
