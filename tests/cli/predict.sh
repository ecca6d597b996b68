#!/usr/bin/env bash
# predict: labels, and labels with a proof.
source "${BASH_SOURCE[0]%/*}/setup.sh"
train_model
expect 0 train "${small[@]}" --out other.safetensors --quiet --seed 2

expect 0 compress model.safetensors --rank 8 --out compressed.safetensors
expect 0 compress model.safetensors --rank 8 --out without_d_compressed.safetensors --drop-dense

# labels_of <argument>...: brings the labels of such a prediction into `labels`, one a line.
labels_of() {
  expect 0 predict "$@" --data data --out labels.csv --json
  is_json
  labels=$(tail -n +2 labels.csv | cut -d, -f2)
}
# same_labels <argument>...: such a prediction gives the labels of the dense network.
same_labels() {
  labels_of "$@"
  [[ $labels == "$dense_labels" ]] || fail "$last: other labels than the dense network's"
}
expect 0 eval model.safetensors --data data --json
dense=$(number test_accuracy)
labels_of model.safetensors
dense_labels=$labels
(($(wc -l <<<"$dense_labels") == 40)) || fail "$last: not a label an image"
expect 0 predict model.safetensors --data data --json
is_json
holds "$(number accuracy) == $dense && $(number images) == 40 && $(number rows_per_second) > 0"
said out '"guarantee": null'
[[ $(tr -d ' \n' <out | sed 's/.*"labels":\[\([^]]*\)\].*/\1/' | tr , '\n') == "$dense_labels" ]] ||
  fail "$last: its labels are not those of labels.csv"
[[ $(head -1 labels.csv) == index,label,true_label ]] || fail "$last: another header"
awk -F, 'NR > 1 && ($1 != NR - 2 || $3 != $1 % 4) { exit 1 }' labels.csv || fail "$last: rows are not those of the set"
awk -F, -v share="$dense" 'NR > 1 { right += $2 == $3 } END { exit right != 40 * share }' labels.csv ||
  fail "$last: the accuracy is not that of the labels"
expect 0 predict model.safetensors --data data
for text in dense accuracy 'images a second' 'the dense F32 network itself' thread; do said out "$text"; done
expect 0 predict model.safetensors --data data --split train --json
holds "$(number images) == 200"

for threads in 1 2; do
  same_labels compressed.safetensors --guarantee label --threads $threads
done
[[ $(head -1 labels.csv) == index,label,true_label,margin,bound,settled_by ]] || fail "$last: another header"
awk -F, 'NR > 1 && !($6 == "dense" ? $4 == 0 && $5 == 0 : $4 > $5 && $5 > 0) { exit 1 }' labels.csv ||
  fail "$last: a margin that is not above its bound"
expect 0 predict compressed.safetensors --data data --guarantee label --json
said out '"guarantee": "label"'
# Each row is settled once, and tried by no form after the one that settles it; the dense network leaves none.
awk '/"form":/ { ++forms } /"tried":/ { tried = $2 + 0; if (tried > 40 - settled) bad = 1 }
  /"settled":/ { settled += $2; if ($2 + 0 > tried) bad = 1 }
  END { exit bad || forms < 2 || settled != 40 }' out || fail "$last: rows tried and settled do not add up"
expect 0 predict compressed.safetensors --data data --guarantee label
for text in 'settled by' time Proved dense; do said out "$text"; done

expect 0 predict compressed.safetensors --data data --form first
for text in UNPROVED '--guarantee'; do said out "$text"; done
expect 0 predict compressed.safetensors --data data --form first --json
said out '"guarantee": null'
form=$(sed -n 's/^ *"form": "\(.*\)",$/\1/p' out)
expect 0 predict compressed.safetensors --data data --form "$form"
said out "$form"
same_labels compressed.safetensors --form dense

same_labels without_d_compressed.safetensors --dense model.safetensors --guarantee label
expect 0 predict without_d_compressed.safetensors --data data --form first

expect 2 predict compressed.safetensors --data data --guarantee margin
one_error --guarantee margin label
expect 2 predict compressed.safetensors --data data --guarantee label --form first
one_error --form --guarantee
expect 2 predict compressed.safetensors --data data --form 'rank 9999'
one_error --form 'rank 9999' "$form"
expect 2 predict model.safetensors --data data --split validation
one_error --split validation test
for model in model compressed; do
  expect 2 predict $model.safetensors --data data --dense model.safetensors
  one_error --dense "$model.safetensors" 'leave it out'
done
expect 3 predict model.safetensors --data data --guarantee label
one_error model.safetensors 'run idelta compress'
expect 3 predict model.safetensors --data data --form first
one_error model.safetensors 'run idelta compress'
expect 3 predict without_d_compressed.safetensors --data data --guarantee label
one_error without_d_compressed.safetensors 'dropped D' 'no guarantee is possible' --dense
expect 3 predict without_d_compressed.safetensors --data data
one_error without_d_compressed.safetensors 'dropped D' --form --dense
expect 3 predict without_d_compressed.safetensors --data data --guarantee label --dense other.safetensors
one_error --dense other.safetensors
expect 3 predict without_d_compressed.safetensors --data data --guarantee label --dense without_d_compressed.safetensors
one_error --dense without_d_compressed.safetensors
cp compressed.safetensors precious.safetensors
expect 2 predict precious.safetensors --data data --out ./precious.safetensors
one_error --out precious.safetensors 'the model itself'
expect 2 predict without_d_compressed.safetensors --data data --dense model.safetensors --out model.safetensors
one_error --out model.safetensors 'the dense model'
cmp precious.safetensors compressed.safetensors || fail "$last: replaced the model"
for option in --guarantee --form --dense --out --data; do
  expect 2 predict compressed.safetensors --data data "$option" ''
  one_error "$option" empty
done
expect 2 compress model.safetensors --rank 4 --out ''
one_error --out empty
expect 2 eval '' --data data
one_error model empty
rm -f labels.csv
mkfifo pipe
for place in data data/ pipe; do
  expect 2 predict nowhere.safetensors --data data --out $place
  one_error --out "$place"
done
expect 3 predict nowhere.safetensors --data data --out labels.csv
[[ ! -e labels.csv ]] || fail "$last: wrote labels"

finish
