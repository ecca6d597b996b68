#!/usr/bin/env bash
# explain: which images it shows, what it writes, and that it leaves nothing behind where it cannot work.
source "${BASH_SOURCE[0]%/*}/setup.sh"
train_model

# chosen: indices of the images in the last run's JSON, those of controls left out.
chosen() { sed -n '/"images": \[/,/"control_images"/p' out | sed -n 's/^ *"index": \([0-9]*\),/\1/p' | head -n "$1" | tr '\n' ' '; }

expect 0 explain model.safetensors --data data --out new/report
for file in report.html report.json layers.csv images.csv neurons.csv contribution_maps.png inputs.npy steps.npy \
  contribution_maps.npy contributions.npy activation_changes.npy class_likelihoods.npy class_maps.npy; do
  [[ -s new/report/$file ]] || fail "$last: no $file"
  said out "new/report/$file"
done
(($(find new -type f | wc -l) == 13)) || fail "$last: other files than it says"
cp new/report/report.json out
is_json
said out '"schema_version": 1'
for key in accuracy probe_accuracy nearest_centre_accuracy lesion_accuracy separation completeness_ulp kl_to_final role; do
  (($(grep -c "\"$key\":" out) >= 4)) || fail "$last: no $key of each layer"
done
holds "$(number completeness_ulp) < 4"
(($(wc -l <new/report/layers.csv) == 5)) || fail "$last: layers.csv has no row for each layer"
(($(head -1 new/report/layers.csv | tr ',' '\n' | wc -l) > 20)) || fail "$last: layers.csv lacks columns"
grep -q '✓' new/report/report.html || fail "$last: the page marks no right prediction"
grep -q '{{' new/report/report.html && fail "$last: the page has a place that was not filled"

expect 0 explain model.safetensors --data data --out report --images 3,39 --json --quick
is_json
[[ $(chosen 2) == '3 39 ' ]] || fail "$last: shows $(chosen 2)"
expect 0 explain model.safetensors --data data --out report --pick class --json --quick
[[ $(chosen 4) == '0 1 2 3 ' ]] || fail "$last: shows $(chosen 4)"
for how in latest uncertain mixed; do
  expect 0 explain model.safetensors --data data --out report --pick $how --json --quick
  is_json
done
grep -q 'not judged' report/report.html || fail "$last: does not say that roles were left out"

# The probes and centres want the training split; without it the page says so.
mkdir test_only
cp data/t10k-* test_only
expect 0 explain model.safetensors --data test_only --out report
said out 'not judged'

# A study gives the band of its seeds, and what they agree on. The network that is explained is not measured twice: of a
# study that has it alone no other seed takes time.
study=(--data data --layers 4 --epochs 5 --batch 20 --lr 0.01 --controls none)
expect 0 study studied "${study[@]}" --seeds 2 --quiet
expect 0 explain studied/layers4_seed1.safetensors --data data --study studied --out report --json
is_json
said out 'all 2 seeds agree'
said out '"part": "other seeds"'
grep -qF 'over the 2 networks of the study' report/report.html || fail "$last: does not say what the band is"
expect 0 study alone "${study[@]}" --seeds 1 --quiet
expect 0 explain alone/layers4_seed1.safetensors --data data --study alone --out report --json
grep -qF '"part": "other seeds"' out && fail "$last: measures its network twice"

# The command that makes the report again is one that a shell can read.
cp model.safetensors "my model"
expect 0 explain "my model" --data data --out report --quick
grep -qF "idelta explain 'my model' --data data --out report --quick" report/report.html ||
  fail "$last: another command than this"

# Nothing is left behind where the inputs cannot be used.
for inputs in 'nowhere --data data' 'model.safetensors --data nowhere' 'model.safetensors --data data --images 40' \
  'model.safetensors --data data --study nowhere'; do
  # shellcheck disable=SC2086 # words on purpose
  "$idelta" explain $inputs --out unused/deep/report >out 2>err && fail "explain $inputs: no error"
  [[ ! -e unused ]] || fail "explain $inputs: left a folder"
done
mkdir mine
expect 3 explain nowhere --data data --out mine
[[ -d mine ]] || fail "$last: took a folder away that it had not made"
expect 2 explain model.safetensors --data data --out report --images 3,40
one_error --images 40 39
expect 2 explain model.safetensors --data data --out report --pick best
one_error --pick best

finish
