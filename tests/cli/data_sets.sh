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

# ---- Named features --------------------------------------------------------------------------------------------------

# Three classes that two of four features tell apart, the last feature in other units; 60 rows, sorted by class.
awk 'BEGIN {
  print "length,width,\"age, days\",weight,kind"
  for (i = 0; i < 60; ++i) {
    c = int(i / 20); x = (i * 7) % 20 / 20
    printf "%.2f,%.2f,%d,%.1f,%s\n", c + x / 2, 3 - c + x / 3, 40 + (i * 13) % 7, 1000 * (c + x), substr("oakelmash", 3 * c + 1, 3)
  }
}' >trees.csv
table=(--layers 3 --epochs 40 --batch 8 --lr 0.02 --quiet)
expect 0 train --data trees.csv "${table[@]}" --out trees.safetensors
said out '48 training rows of 4 features, 3 classes'
said out '4 features + 3 classes'
[[ ! -s err ]] || fail "$last: a warning about a sound table"
expect 0 eval trees.safetensors --data trees.csv --json
is_json
holds "$(number images) == 12"
holds "$(number test_accuracy) > 0.8"
accuracy=$(number test_accuracy)
expect 0 predict trees.safetensors --data trees.csv --out labels.csv
(($(wc -l <labels.csv) == 13)) || fail "$last: not 12 labels"
expect 0 compress trees.safetensors --data trees.csv --rank 2 --out small.safetensors
expect 0 eval small.safetensors --data trees.csv --json
holds "$(number test_accuracy) > 0.5"

# The model scales: the same rows in a folder, of which train.csv is never looked at.
mkdir forest
echo nothing >forest/train.csv
cp trees.csv forest/test.csv
expect 0 eval trees.safetensors --data forest --json
holds "$(number images) == 60"
holds "$(number test_accuracy) > 0.8"
# Packed and with other line ends it is the same table.
sed 's/$/\r/' trees.csv | gzip >packed.csv.gz
expect 0 train --data packed.csv.gz "${table[@]}" --out packed.safetensors
cmp -s packed.safetensors trees.safetensors || fail "$last: another model of the same table"

# Other ranges, another label column.
expect 0 train --data trees.csv "${table[@]}" --scale -1..1 --out centred.safetensors
expect 0 eval centred.safetensors --data trees.csv --json
holds "$(number test_accuracy) > 0.8"
expect 2 train --data trees.csv "${table[@]}" --scale 0..2 --out m.safetensors
one_error --scale 0..2 -1..1
awk -F, -v OFS=, 'NR == 1 { print "kind", "class", "width" } NR > 1 { print $5, $1, $2 }' trees.csv >first.csv
expect 0 train --data first.csv "${table[@]}" --label kind --out first.safetensors
expect 0 eval first.safetensors --data first.csv
expect 3 train --data trees.csv "${table[@]}" --label colour --out m.safetensors
one_error trees.csv "'colour'" "'kind'"
expect 3 train --data data "${table[@]}" --label kind --out m.safetensors
one_error data 'no CSV'

# Tables that do not fit the model or cannot be.
sed '1s/width/breadth/' trees.csv >other.csv
expect 3 eval trees.safetensors --data other.csv
one_error other.csv "feature 2 is 'breadth', not 'width'"
expect 3 eval trees.safetensors --data data
one_error data/t10k-images-idx3-ubyte '64 inputs' 'trained with 4'
sed '7s/[0-9.]*,/n.a.,/' trees.csv >hole.csv
expect 3 train --data hole.csv "${quick[@]}"
one_error hole.csv "line 7, column 1 ('length')" "'n.a.'"
sed 's/[0-9]*,\([0-9.]*,[a-z]*\)$/5,\1/' trees.csv >constant.csv
expect 0 train --data constant.csv "${table[@]}" --out m.safetensors
said err "idelta: warning: constant.csv: feature 3 ('age, days') is constant"
expect 2 train --data trees.csv --out trees.csv
one_error --out trees.csv 'a file of the data set'

# ---- Files of other collections --------------------------------------------------------------------------------------

# EMNIST's names: two sets in a folder want a prefix, letters count from 1.
mkdir emnist
for set in digits letters; do
  for split in train:200 test:40; do
    images "${split#*:}" | gzip >emnist/emnist-$set-${split%:*}-images-idx3-ubyte.gz
    { word $((0x0801)) && word ${split#*:} && for ((i = 0; i < ${split#*:}; ++i)); do byte $((1 + i % 4)); done; } \
      >emnist/emnist-$set-${split%:*}-labels-idx1-ubyte
  done
done
expect 3 train --data emnist "${quick[@]}"
one_error emnist emnist-digits emnist-letters
expect 0 train --data emnist/emnist-letters "${quick[@]}"
said err 'turned'
said err 'lowered by 1'
said out '4 classes'
expect 0 eval m.safetensors --data emnist/emnist-letters
said out 'lowered by 1'

# Names of classes: as many as there are classes.
printf 'north\neast\nsouth\nwest\n' >names
expect 0 train --data data --classes names "${quick[@]}"
grep -qa 'north' m.safetensors || fail "$last: the model has no names of classes"
expect 0 predict m.safetensors --data data --out labels.csv
[[ $(head -1 labels.csv) == index,label,true_label,label_name,true_label_name ]] || fail "$last: another header"
awk -F, 'BEGIN { split("north east south west", names, " ") }
  NR > 1 && ($4 != names[$2 + 1] || $5 != names[$3 + 1]) { exit 1 }' labels.csv || fail "$last: other names than the model's"
printf 'north\n' >names
expect 3 train --data data --classes names "${quick[@]}"
one_error names '1 class names' '4 classes'

finish
