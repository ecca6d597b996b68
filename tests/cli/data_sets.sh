#!/usr/bin/env bash
# Data sets as people have them: names, labels, packings and sizes that differ from the usual, and what is said of them.
source "${BASH_SOURCE[0]%/*}/setup.sh"

quick=(--layers 2 --epochs 1 --quiet --out m.safetensors)

# Labels 1 to 4, as EMNIST's letters have 1 to 26.
cp -r data from_one
for split in train:200 t10k:40; do
  { word $((0x0801)) && word ${split#*:} && for ((i = 0; i < ${split#*:}; ++i)); do byte $((1 + i % 4)); done; } \
    >from_one/${split%:*}-labels-idx1-ubyte
done
rm from_one/train-labels-idx1-ubyte.gz
expect 0 train --data from_one "${quick[@]}"
said err 'idelta: warning: from_one/train-labels-idx1-ubyte: labels run from 1 to 4'
said err 'subtract 1 from every label'
expect 0 train --data data "${quick[@]}"
[[ ! -s err ]] || fail "$last: a warning about a sound set"
expect 0 train --data data "${quick[@]}" --limit 2
said err 'has the label 2, 3'

# One class.
cp -r data one_class
for split in train:200 t10k:40; do
  { word $((0x0801)) && word ${split#*:} && head -c ${split#*:} /dev/zero; } >one_class/${split%:*}-labels-idx1-ubyte
done
rm one_class/train-labels-idx1-ubyte.gz
expect 3 train --data one_class "${quick[@]}"
one_error one_class/train-labels-idx1-ubyte 'every label is 0' 'two classes'
{ word $((0x0801)) && word 200 && head -c 200 /dev/zero | tr '\0' '\7'; } >one_class/train-labels-idx1-ubyte
expect 3 train --data one_class "${quick[@]}"
one_error one_class/train-labels-idx1-ubyte 'every label is 7' 'two classes'
grep -q limit err && fail "$last: blames --limit"
expect 3 train --data data "${quick[@]}" --limit 1
one_error data/train-labels-idx1-ubyte.gz 'first 1' 'is 0' 'a higher --limit'

# Dotted names, and a folder beside the packed file.
mkdir dotted
cp data/train-images-idx3-ubyte.gz dotted/train-images.idx3-ubyte.gz
gunzip <data/train-labels-idx1-ubyte.gz >dotted/train-labels.idx1-ubyte
cp data/t10k-images-idx3-ubyte dotted/t10k-images.idx3-ubyte
cp data/t10k-labels-idx1-ubyte dotted/t10k-labels.idx1-ubyte
mkdir dotted/train-images.idx3-ubyte dotted/train-images-idx3-ubyte
expect 0 train --data data "${quick[@]}"
mv m.safetensors usual.safetensors
expect 0 train --data dotted "${quick[@]}"
cmp -s m.safetensors usual.safetensors || fail "$last: other data under dotted names"
rm dotted/train-images.idx3-ubyte.gz
expect 3 train --data dotted "${quick[@]}"
one_error dotted/train-images-idx3-ubyte 'is a folder'
rmdir dotted/train-images.idx3-ubyte dotted/train-images-idx3-ubyte
cp data/train-images-idx3-ubyte.gz dotted/emnist-letters-train-images-idx3-ubyte.gz
expect 3 train --data dotted "${quick[@]}"
one_error dotted train-images-idx3-ubyte emnist-letters-train-images-idx3-ubyte.gz

# Images and labels exchanged, and a test set of another size.
cp -r data swapped
mv swapped/t10k-images-idx3-ubyte kept
mv swapped/t10k-labels-idx1-ubyte swapped/t10k-images-idx3-ubyte
mv kept swapped/t10k-labels-idx1-ubyte
expect 3 train --data swapped "${quick[@]}"
one_error swapped/t10k-images-idx3-ubyte 'exchanged'
cp -r data other_size
{ word $((0x0803)) && word 40 && word 4 && word 4 && head -c 640 /dev/zero; } >other_size/t10k-images-idx3-ubyte
expect 3 train --data other_size "${quick[@]}"
one_error other_size/t10k-images-idx3-ubyte '4 x 4' other_size/train-images-idx3-ubyte.gz '8 x 8' 'one set'

# Bytes behind the data: the same answer for a packed and a plain file. Several streams are one.
cp -r data longer
printf 'more' >>longer/train-images-idx3-ubyte.gz
expect 3 train --data longer "${quick[@]}"
one_error longer/train-images-idx3-ubyte.gz 'goes on for 4 bytes'
gunzip <data/train-images-idx3-ubyte.gz >longer/train-images-idx3-ubyte
printf 'more' >>longer/train-images-idx3-ubyte
expect 3 train --data longer "${quick[@]}"
one_error longer/train-images-idx3-ubyte 'goes on'
rm longer/train-images-idx3-ubyte
gunzip <data/train-images-idx3-ubyte.gz >all
{ head -c 1000 all | gzip && tail -c +1001 all | gzip; } >longer/train-images-idx3-ubyte.gz
expect 0 train --data longer "${quick[@]}"
cmp -s m.safetensors usual.safetensors || fail "$last: other data out of two streams"
head -c -9 data/train-images-idx3-ubyte.gz >longer/train-images-idx3-ubyte.gz
expect 3 train --data longer "${quick[@]}"
one_error longer/train-images-idx3-ubyte.gz 'cut short'

# --limit takes memory for what it needs: 10 million images in a file that is a hole, with 2 GB of address space.
cp -r data huge
rm huge/train-*
{ word $((0x0803)) && word 10000000 && word 8 && word 8; } >huge/train-images-idx3-ubyte
{ word $((0x0801)) && word 10000000 && byte 3 && head -c 9999999 /dev/zero; } >huge/train-labels-idx1-ubyte
last='idelta train --limit 10 within 2 GB'
if (ulimit -v 2000000 && "$idelta" info) >/dev/null 2>&1 &&
  truncate -s $((16 + 64 * 10000000)) huge/train-images-idx3-ubyte 2>/dev/null; then
  (ulimit -v 2000000 && "$idelta" train --data huge "${quick[@]}" --limit 10 >out 2>err) || fail "$last: fails"
  said out '10 training images'
fi

finish
