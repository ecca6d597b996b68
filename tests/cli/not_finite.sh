#!/usr/bin/env bash
# Numbers that cannot be: a training that diverges saves nothing, a model that overflows gives no result.
source "${BASH_SOURCE[0]%/*}/setup.sh"
train_model

# refused <text> <argument>...: such a training ends with an error that says this, and leaves no model.
refused() {
  local text=$1
  shift
  rm -f m.safetensors
  expect 1 train --data data --out m.safetensors --quiet --json "$@"
  one_error 'not finite' "$text"
  [[ ! -e m.safetensors ]] || fail "$last: saved a model"
  [[ ! -s out ]] || fail "$last: printed a result"
}
refused 'in epoch 1 at learning rate 1e+38' --lr 1e38
refused 'give a lower rate' --lr 1e38 --epochs 1
refused 'give a lower rate' --lr 1e38 --epochs 1 --activation hard_tanh
refused 'give a lower rate' --lr 1e38 --epochs 1 --compute bf16
for optimizer in sgd momentum nesterov adamw; do
  expect 2 train --data data --out m.safetensors --weight-decay 1e38 --optimizer $optimizer
  one_error 'weight_decay is 1e+38' 'learning_rate of 0.003'
done
expect 2 train --data data --out m.safetensors --weight-decay 2 --lr 0.5
one_error 'weight_decay is 2' 'learning_rate of 0.5'
# All numbers finite, and nonsense all the same: a hard_tanh bounds what it lets through.
# Labels without a rule, which no step learns by luck.
cp -r data mixed
rm mixed/train-labels-idx1-ubyte.gz
{ word $((0x0801)) && word 200 && for ((i = 0; i < 200; ++i)); do byte $(((i * i / 3 + i / 7) % 4)); done; } >mixed/train-labels-idx1-ubyte
nonsense() {
  rm -f m.safetensors
  expect 1 train --data mixed --out m.safetensors --quiet --activation hard_tanh "$@"
  one_error 'mean loss of the last epoch' 'a guess has 1.386' 'give a lower rate'
  [[ ! -e m.safetensors ]] || fail "$last: saved a model"
}
nonsense --lr 1e5 --layers 2
nonsense --lr 1e18 --layers 2
nonsense --lr 1e18 --layers 1
# Where no learning rate would help, none is to blame.
refused 'class padding 3e+38' --padding 3e38
grep -q 'lower rate' err && fail "$last: blames the learning rate"
for option in 1e7:5 1e30:10; do
  expect 1 train --data data --out m.safetensors --quiet --identity-scale ${option%:*} --layers ${option#*:}
  said err 'identity scale 1e+'
  said err 'too large'
  grep -q 'lower rate' err && fail "$last: blames the learning rate"
  [[ ! -e m.safetensors ]] || fail "$last: saved a model"
done
refused 'class padding nearer 0 than 3e+38' --padding 3e38
refused 'class padding nearer 0 than -3e+38' --padding -3e38

# A model that is finite and makes infinities: every bias of layer 2 of 4 is 3e38, and the next layers add up.
overflowing() {
  local header
  header=$((8 + $(od -An -tu8 -N8 model.safetensors)))
  # layers.<l>.delta of 68 x 68 and layers.<l>.bias of 68 floats, one after the other.
  # Under other names its hashes are not read, as in a file of before there were any.
  LC_ALL=C sed 's/"hash":/"hush":/; s/"layer_hashes":/"layer_hushes":/' model.safetensors >overflowing.safetensors
  for layer in 1 2; do
    for ((i = 0; i < 68; ++i)); do printf '\x99\xb1\x61\x7f'; done |
      dd of=overflowing.safetensors bs=1 conv=notrunc status=none \
        seek=$((header + 4 * (layer * (68 * 68 + 68) + 68 * 68)))
  done
}
overflowing
for verb in eval explain predict; do
  for json in '' --json; do
    out_folder=()
    [[ $verb != explain ]] || out_folder=(--out unused)
    expect 3 $verb overflowing.safetensors --data data "${out_folder[@]}" $json
    one_error overflowing.safetensors 'layer 3 of 4' 'image 0 of data' 'not finite' 'learning rate'
    grep -qiE '(^|[^a-z])-?(nan|inf)([^a-z]|$)' out && fail "$last: a number that cannot be"
  done
done

finish
