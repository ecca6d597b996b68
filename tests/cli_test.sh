#!/usr/bin/env bash
# cli_test.sh <idelta>: runs the program as a user would, on a data set made here, and counts what is not as it says.
set -u
idelta=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

failures=0
fail() {
  printf 'FAILED: %s\n' "$*"
  sed 's/^/    stdout: /' out | head -20
  sed 's/^/    stderr: /' err | head -20
  failures=$((failures + 1))
}

# expect <exit code> <argument>...: runs idelta into the files out and err.
expect() {
  local wanted=$1 code=0
  shift
  last="idelta $*"
  "$idelta" "$@" >out 2>err || code=$?
  ((code == wanted)) || fail "$last: exit code $code, not $wanted"
}

# said <out|err> <text>: the last run wrote it.
said() { grep -qF -- "$2" "$1" || fail "$last: no '$2' on $1"; }

# one_error <text>...: the last run printed exactly one line on stderr, an error that says all this, and no result.
one_error() {
  local text
  (($(wc -l <err) == 1)) || fail "$last: not exactly one line on stderr"
  grep -q '^idelta: error: ' err || fail "$last: no 'idelta: error: '"
  for text in "$@"; do said err "$text"; done
}

# is_json: the last run's stdout is one JSON object, judged without a JSON parser: braces, brackets and quotes balance
# outside strings, and there is a key.
is_json() {
  awk '{ text = text $0 }
    END {
      gsub(/\\./, "", text); key = text ~ /"[a-z_]+":/; gsub(/"[^"]*"/, "s", text)
      if (!key || text ~ /"|nan|inf|,[ ]*[]}]/ || text !~ /^{.*}$/) exit 1
      while (gsub(/{[^][{}]*}|\[[^][{}]*\]/, "v", text)) {}
      exit text != "v"
    }' out || fail "$last: stdout is not JSON"
}

# number <key>: the first value of a key of the last run's JSON.
number() { sed -n "s/^ *\"$1\": \([-+.0-9e]*\),*$/\1/p" out | head -1; }
# holds <awk condition>
holds() { awk "BEGIN { exit !($1) }" || fail "$last: $1 does not hold"; }

# ---- A data set: 8 x 8 images of 4 classes, each a bright quarter on a dim pattern that differs from image to image --

byte() { printf "\\x$(printf %02x "$1")"; }
word() { byte $(($1 >> 24 & 255)) && byte $(($1 >> 16 & 255)) && byte $(($1 >> 8 & 255)) && byte $(($1 & 255)); }

images() {
  word $((0x0803)) && word "$1" && word 8 && word 8
  awk -v count="$1" 'BEGIN {
    for (i = 0; i < count; ++i) for (r = 0; r < 8; ++r) for (c = 0; c < 8; ++c) {
      quarter = int(r / 4) * 2 + int(c / 4)
      printf "\\x%02x", (quarter == i % 4 ? 180 : 10) + (i * 7 + r * 5 + c * 3) % 60
    }
  }' >text && printf '%b' "$(cat text)"
}
labels() {
  word $((0x0801)) && word "$1"
  for ((i = 0; i < $1; ++i)); do byte $((i % 4)); done
}

mkdir data
images 200 | gzip >data/train-images-idx3-ubyte.gz
labels 200 | gzip >data/train-labels-idx1-ubyte.gz
images 40 >data/t10k-images-idx3-ubyte
labels 40 >data/t10k-labels-idx1-ubyte

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

# ---- train, eval, explain ----------------------------------------------------------------------------------------

small=(--data data --layers 4 --epochs 5 --batch 20 --lr 0.01)
expect 0 train "${small[@]}" --out made/here/model.safetensors
said out 'test accuracy'
said out made/here/model.safetensors
said err 'epoch 5/5'
grep -q $'\r' err && fail "$last: drew a bar where there is no terminal"
said out 'leaky_relu:0.1, identity scale 1, class padding 0'
[[ -s made/here/model.safetensors ]] || fail "$last: no model"

expect 0 train "${small[@]}" --out again.safetensors --json --quiet --threads 1
is_json
[[ ! -s err ]] || fail "$last: not quiet"
holds "$(number test_accuracy) > 0.9"
said out '"leaky_relu:0.1"'
cmp -s made/here/model.safetensors again.safetensors || fail "$last: the same seed gave another model"
expect 0 train "${small[@]}" --out bf16.safetensors --quiet --compute bf16
said out 'compute'
cmp -s bf16.safetensors again.safetensors && fail "$last: --compute bf16 trained as f32 does"
expect 0 train "${small[@]}" --out leaky.safetensors --activation leaky_relu --quiet
cmp -s leaky.safetensors again.safetensors || fail "$last: leaky_relu without a slope is not the default network"
expect 0 train "${small[@]}" --out relu.safetensors --activation relu --quiet --limit 50 --eval-every 2
said err 'idelta: warning: '
said out 'after epoch 4'

expect 0 eval again.safetensors --data data
for text in 'cross-entropy' '‖D‖₂' input 'test accuracy' ulp; do said out "$text"; done
expect 0 eval --model again.safetensors --data data --json
is_json
holds "$(number test_accuracy) > 0.9 && $(number input_accuracy) == 0.25 && $(number completeness_ulp) < 4"
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

expect 0 explain again.safetensors --data data --out report
for text in report/contribution_maps.png report/report.json 'layer 4'; do said out "$text"; done
[[ $(head -c 4 report/contribution_maps.png | od -An -tx1) == ' 89 50 4e 47' ]] || fail "$last: the sheet is not a PNG"
cp report/report.json out
is_json
(($(grep -c '"index":' out) == 4)) || fail "$last: not one image of each class"
expect 0 explain again.safetensors --data data --out report --images 3,39 --json
is_json
(($(grep -c '"index":' out) == 2)) || fail "$last: not the images asked for"
expect 2 explain again.safetensors --data data --out report --images 3,40
one_error --images 40 39
(($(find report -type f | wc -l) == 2)) || fail "$last: left more than two files"

# ---- eval --rank: every D truncated --------------------------------------------------------------------------------

for rank in 0 -1 1.5 nan many; do
  expect 2 eval again.safetensors --data data --rank=$rank
  one_error --rank "$rank"
done
expect 0 eval again.safetensors --data data --json
dense=$(number test_accuracy)
expect 0 eval again.safetensors --data data --json --rank 32
is_json
holds "$(number dense_test_accuracy) == $dense && $(number test_accuracy) > $dense - 0.05"
holds "$(number rank) == 32 && $(number multiplications_share) > 0 && $(number multiplications_share) <= 2 * 32 / 68"
(($(grep -c '"certificate":' out) == 4)) || fail "$last: not a certificate a layer"
awk '/"layer":/ { inside = 1 } inside && /"rank":/ { if ($2 + 0 < 1 || $2 + 0 > 32) exit 1 }' out ||
  fail "$last: a layer's rank is not within 1 to 32"
expect 0 eval again.safetensors --data data --rank 32
for text in rank certificate 'dense test accuracy' 'multiplications'; do said out "$text"; done
expect 0 eval again.safetensors --data data --rank 1000000
said out '(+0.00)'

# ---- compress -----------------------------------------------------------------------------------------------------

expect 2 compress again.safetensors
one_error --out
expect 2 compress again.safetensors --out c.safetensors
one_error --data --rank --sigma --tolerance
expect 2 compress again.safetensors --out data --rank 4
one_error data 'is a folder'
for option in --rank --sigma --tolerance; do
  for value in 0 -1 nan many; do
    expect 2 compress again.safetensors --out c.safetensors $option=$value
    one_error "$option" "$value"
  done
done
expect 2 compress again.safetensors --out c.safetensors --rank 4 --sigma 0.1
one_error --rank --sigma
expect 1 compress again.safetensors --out c.safetensors --tolerance 1e-30
one_error 1e-30 'no less'
expect 2 compress again.safetensors --out again.safetensors --rank 4 --drop-dense
one_error again.safetensors 'would be lost'
expect 3 compress nowhere.safetensors --out c.safetensors --rank 4
one_error nowhere.safetensors
[[ ! -e c.safetensors ]] || fail 'a refused compression wrote a model'

expect 0 compress again.safetensors --out made/too/ranks.safetensors --rank 4
for text in 'rank 4' certificate 'bytes of D' 'of the dense network'; do said out "$text"; done
grep -q accuracy out && fail "$last: an accuracy without --data"
[[ ! -s err ]] || fail "$last: progress where there is no terminal"
expect 0 compress again.safetensors --out small.safetensors --rank 4 --drop-dense --data data
for text in 'test accuracy' 'without a guarantee' 'of the labels are the same'; do said out "$text"; done
(($(wc -c <small.safetensors) * 4 < $(wc -c <again.safetensors))) || fail "$last: is not much smaller"
expect 0 compress again.safetensors --out chosen.safetensors --data data --explain
for text in Considered sigma 'first form'; do said out "$text"; done
expect 0 compress again.safetensors --out chosen.safetensors --data data --json
is_json
(($(grep -c '"certificate":' out) >= 4)) || fail "$last: not a certificate a layer"
(($(grep -c '"verdict":' out) == 21)) || fail "$last: not a verdict a candidate"
holds "$(number label_agreement) >= 0 && $(number dense_test_accuracy) == $dense"
cp chosen.safetensors once.safetensors
expect 0 compress again.safetensors --out chosen.safetensors --data data --threads 1
cmp -s chosen.safetensors once.safetensors || fail "$last: other forms with one thread"
expect 0 compress chosen.safetensors --out chosen.safetensors --rank 2
expect 3 compress small.safetensors --out c.safetensors --rank 2
one_error small.safetensors 'dropped D'

expect 0 eval chosen.safetensors --data data
for text in compressed 'rank 2' ', dense'; do said out "$text"; done
expect 0 eval small.safetensors --data data
for text in compressed 'D was dropped' 'most precise form, rank 4'; do said out "$text"; done
expect 0 eval small.safetensors --data data --json
is_json
said out '"has_dense": false'
expect 2 eval small.safetensors --data data --rank 2
one_error small.safetensors 'dropped D'
expect 0 explain small.safetensors --data data --out report

# Another D under the same forms: one byte in the middle of layer 1.
cp chosen.safetensors damaged.safetensors
printf 'x' | dd of=damaged.safetensors bs=1 conv=notrunc status=none \
  seek=$((8 + $(od -An -tu8 -N8 chosen.safetensors) + 8000))
expect 3 eval damaged.safetensors --data data
one_error damaged.safetensors 'layer 1' 'compress the dense model again'

# ---- predict: labels, and labels with a proof ------------------------------------------------------------------------

expect 0 compress again.safetensors --rank 8 --out compressed.safetensors
expect 0 compress again.safetensors --rank 8 --out without_d_compressed.safetensors --drop-dense

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
expect 0 eval again.safetensors --data data --json
dense=$(number test_accuracy)
labels_of again.safetensors
dense_labels=$labels
(($(wc -l <<<"$dense_labels") == 40)) || fail "$last: not a label an image"
expect 0 predict again.safetensors --data data --json
is_json
holds "$(number accuracy) == $dense && $(number images) == 40 && $(number rows_per_second) > 0"
said out '"guarantee": null'
[[ $(tr -d ' \n' <out | sed 's/.*"labels":\[\([^]]*\)\].*/\1/' | tr , '\n') == "$dense_labels" ]] ||
  fail "$last: its labels are not those of labels.csv"
[[ $(head -1 labels.csv) == index,label,true_label ]] || fail "$last: another header"
awk -F, 'NR > 1 && ($1 != NR - 2 || $3 != $1 % 4) { exit 1 }' labels.csv || fail "$last: rows are not those of the set"
awk -F, -v share="$dense" 'NR > 1 { right += $2 == $3 } END { exit right != 40 * share }' labels.csv ||
  fail "$last: the accuracy is not that of the labels"
expect 0 predict again.safetensors --data data
for text in dense accuracy 'images a second' 'the dense F32 network itself' thread; do said out "$text"; done
expect 0 predict again.safetensors --data data --split train --json
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
for text in 'settled by' multiplications Proved dense; do said out "$text"; done

expect 0 predict compressed.safetensors --data data --form first
for text in UNPROVED '--guarantee'; do said out "$text"; done
expect 0 predict compressed.safetensors --data data --form first --json
said out '"guarantee": null'
form=$(sed -n 's/^ *"form": "\(.*\)",$/\1/p' out)
expect 0 predict compressed.safetensors --data data --form "$form"
said out "$form"
same_labels compressed.safetensors --form dense

same_labels without_d_compressed.safetensors --dense again.safetensors --guarantee label
expect 0 predict without_d_compressed.safetensors --data data --form first

expect 2 predict compressed.safetensors --data data --guarantee margin
one_error --guarantee margin label
expect 2 predict compressed.safetensors --data data --guarantee label --form first
one_error --form --guarantee
expect 2 predict compressed.safetensors --data data --form 'rank 9999'
one_error --form 'rank 9999' "$form"
expect 2 predict again.safetensors --data data --split validation
one_error --split validation test
for model in again compressed; do
  expect 2 predict $model.safetensors --data data --dense again.safetensors
  one_error --dense "$model.safetensors" 'leave it out'
done
expect 3 predict again.safetensors --data data --guarantee label
one_error again.safetensors 'run idelta compress'
expect 3 predict again.safetensors --data data --form first
one_error again.safetensors 'run idelta compress'
expect 3 predict without_d_compressed.safetensors --data data --guarantee label
one_error without_d_compressed.safetensors 'dropped D' 'no guarantee is possible' --dense
expect 3 predict without_d_compressed.safetensors --data data
one_error without_d_compressed.safetensors 'dropped D' --form --dense
expect 3 predict without_d_compressed.safetensors --data data --guarantee label --dense bf16.safetensors
one_error --dense bf16.safetensors
expect 3 predict without_d_compressed.safetensors --data data --guarantee label --dense without_d_compressed.safetensors
one_error --dense without_d_compressed.safetensors
cp compressed.safetensors precious.safetensors
expect 2 predict precious.safetensors --data data --out ./precious.safetensors
one_error --out precious.safetensors 'the model itself'
expect 2 predict without_d_compressed.safetensors --data data --dense again.safetensors --out again.safetensors
one_error --out again.safetensors 'the dense model'
cmp precious.safetensors compressed.safetensors || fail "$last: replaced the model"
for option in --guarantee --form --dense --out --data; do
  expect 2 predict compressed.safetensors --data data "$option" ''
  one_error "$option" empty
done
expect 2 compress again.safetensors --rank 4 --out ''
one_error --out empty
expect 2 eval '' --data data
one_error model empty
rm -f labels.csv
for place in data data/ /dev/null; do
  expect 2 predict nowhere.safetensors --data data --out $place
  one_error --out "$place"
done
expect 3 predict nowhere.safetensors --data data --out labels.csv
[[ ! -e labels.csv ]] || fail "$last: wrote labels"

# ---- Numbers that cannot be ---------------------------------------------------------------------------------------

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
refused 'lower weight decay than 1e+38' --weight-decay 1e38
refused 'lower weight decay than 1e+38' --weight-decay 1e38 --optimizer adamw
refused 'class padding nearer 0 than 3e+38' --padding 3e38
refused 'class padding nearer 0 than -3e+38' --padding -3e38

# A model that is finite and makes infinities: every bias of layer 2 of 4 is 3e38, and the next layers add up.
overflowing() {
  local header
  header=$((8 + $(od -An -tu8 -N8 again.safetensors)))
  # layers.<l>.delta of 68 x 68 and layers.<l>.bias of 68 floats, one after the other.
  cp again.safetensors overflowing.safetensors
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

# ---- Files that cannot be used -----------------------------------------------------------------------------------

expect 3 train --data nowhere --out m.safetensors
one_error nowhere
expect 3 eval nowhere.safetensors --data data
one_error nowhere.safetensors
head -c 1000 again.safetensors >short.safetensors
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
expect 3 eval again.safetensors --data uneven
one_error uneven/t10k-labels-idx1-ubyte 39 40
mkdir narrow
for split in train t10k; do
  { word $((0x0803)) && word 1 && word 1 && word 2 && byte 1 && byte 2; } >narrow/$split-images-idx3-ubyte
  labels 1 >narrow/$split-labels-idx1-ubyte
done
expect 3 eval again.safetensors --data narrow
one_error again.safetensors narrow '8 x 8' '1 x 2'
"$idelta" info >/dev/full 2>err && fail 'idelta info >/dev/full: no error for a full disk'

# ---- Signals -----------------------------------------------------------------------------------------------------

# interrupt <signal> <exit code>: stops a training that would take hours, in its first epochs.
interrupt() {
  local code=0 waited=0
  last="idelta train, stopped by $1"
  rm -f stopped.safetensors
  # A program that does not stop must fail the test, not hang it; timeout passes the signal on.
  timeout --foreground --signal=KILL 120 \
    "$idelta" train --data data --layers 4 --epochs 10000000 --batch 20 --out stopped.safetensors >out 2>err &
  local child=$!
  until grep -q 'epoch 2/' err || ((++waited > 600)); do sleep 0.1; done
  kill "-$1" "$child"
  wait "$child" || code=$?
  ((code == $2)) || fail "$last: exit code $code, not $2"
  said err interrupted
  said err stopped.safetensors
  expect 0 eval stopped.safetensors --data data
}
interrupt INT 130
interrupt TERM 143
(($(find . -name '*.part-*' | wc -l) == 0)) || fail 'temporary files were left behind'

# ---- bench -------------------------------------------------------------------------------------------------------

expect 2 bench --n 0
one_error --n 0

((failures == 0)) || exit 1
echo 'all as it should be'
