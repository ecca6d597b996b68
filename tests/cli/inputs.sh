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

# One byte in the middle of a plain model.
cp model.safetensors damaged.safetensors
printf 'x' | dd of=damaged.safetensors bs=1 conv=notrunc status=none seek=$(($(wc -c <model.safetensors) / 2))
for work in eval 'explain --out unused' predict; do
  # shellcheck disable=SC2086 # words on purpose
  expect 3 $work damaged.safetensors --data data
  one_error damaged.safetensors 'of layer 2' damaged
done

# ---- Paths that cannot be looked at: one sentence, exit code 3, from every verb --------------------------------------

ln -s b a && ln -s a b
ln -s nowhere dangling
mkfifo pipe
long=$(printf 'x%.0s' {1..256})
expect 0 compress model.safetensors --rank 4 --drop-dense --out without_d.safetensors
declare -A reason=([a]='leads back to itself' [a/file]='leads back to itself' [dangling]='link to nowhere'
  [pipe]='is a pipe' [data]='is a folder' [data/]='is a folder' [model.safetensors/]='as if it were a folder'
  [model.safetensors/file]='as if it were a folder' [$long]='longer name' [none/file]='does not exist')
for place in "${!reason[@]}"; do
  expect 3 eval "$place" --data data
  one_error "$place" "${reason[$place]}"
  expect 3 explain "$place" --data data --out unused
  one_error "$place" "${reason[$place]}"
  expect 3 predict "$place" --data data
  one_error "$place" "${reason[$place]}"
  expect 3 compress "$place" --rank 4 --out unused.safetensors
  one_error "$place" "${reason[$place]}"
  expect 3 predict without_d.safetensors --data data --dense "$place"
  one_error "$place" "${reason[$place]}"
done
reason=([a]='leads back to itself' [a/b]='leads back to itself' [dangling]='link to nowhere'
  [pipe]='is not a folder' [model.safetensors]='is not a folder' [model.safetensors/]='as if it were a folder'
  [$long]='longer name' [none/data]='does not exist')
for place in "${!reason[@]}"; do
  for work in 'train --out unused.safetensors' 'eval model.safetensors' 'explain model.safetensors --out unused' \
    'predict model.safetensors' 'compress model.safetensors --out unused.safetensors'; do
    # shellcheck disable=SC2086 # words on purpose
    expect 3 $work --data "$place"
    one_error "$place" "${reason[$place]}"
  done
done
for model in '' ' '; do
  expect $((${#model} ? 3 : 2)) eval "$model" --data data
  grep -q '^idelta: error: ' err || fail "$last: no error"
done

# What root may not read either does not exist; others may not read what is closed.
as_nobody=()
((EUID != 0)) || as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
chmod 755 "$folder"
if "${as_nobody[@]}" "$idelta" --version >/dev/null 2>&1; then
  cp model.safetensors closed.safetensors
  cp -r data closed
  cp -r data closed_file
  chmod 000 closed.safetensors closed closed_file/t10k-labels-idx1-ubyte
  for work in 'closed.safetensors --data data' 'model.safetensors --data closed' 'model.safetensors --data closed_file'; do
    code=0
    last="idelta eval $work"
    # shellcheck disable=SC2086 # words on purpose
    "${as_nobody[@]}" "$idelta" eval $work >out 2>err || code=$?
    ((code == 3)) || fail "$last: exit code $code"
    one_error closed 'Permission denied'
  done
  chmod 755 closed
fi

# Every file of a data set in turn.
for file in train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz t10k-images-idx3-ubyte t10k-labels-idx1-ubyte; do
  rm -rf odd
  cp -r data odd
  rm odd/$file
  mkfifo odd/$file
  expect 3 train --data odd --out unused.safetensors
  one_error odd/$file 'is a pipe'
  rm odd/$file
  ln -s $file odd/$file
  expect 3 train --data odd --out unused.safetensors
  one_error odd/$file 'leads back to itself'
  rm odd/$file
  ln -s nowhere odd/$file
  expect 3 train --data odd --out unused.safetensors
  one_error odd/$file 'link to nowhere'
done
[[ ! -e unused.safetensors ]] || fail 'something was written'

"$idelta" info >/dev/full 2>err && fail 'idelta info >/dev/full: no error for a full disk'

finish
