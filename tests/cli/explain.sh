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
[[ ! -s err ]] || fail "$last: progress where there is no terminal"
(($(find new -type f | wc -l) == 13)) || fail "$last: other files than it says"
cp new/report/report.json out
is_json
said out '"schema_version": 2'
for key in accuracy probe_accuracy nearest_centre_accuracy lesion_accuracy separation completeness_ulp kl_to_final role; do
  (($(grep -c "\"$key\":" out) >= 4)) || fail "$last: no $key of each layer"
done
holds "$(number completeness_ulp) < 4 && $(number layer_residual_ulp) < 1 && $(number layer_residual_share) <= 1"
said out '"complete": true'
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
grep -qF 'data-figure="permuted"' report/report.html && fail "$last: shows a control that the study lacks"
expect 0 study studied "${study[@]/none/label-randomisation}" --seeds 2 --quiet
expect 0 explain studied/layers4_seed1.safetensors --data data --study studied --out report --json --quick
said out '"accuracy_of_permuted_labels"'
grep -qF 'data-figure="permuted"' report/report.html || fail "$last: label randomisation is not among the controls"
grep -qF 'learned permuted labels' report/report.html || fail "$last: no sentence about label randomisation"
expect 0 study alone "${study[@]}" --seeds 1 --quiet
expect 0 explain alone/layers4_seed1.safetensors --data data --study alone --out report --json
grep -qF '"part": "other seeds"' out && fail "$last: measures its network twice"

# Without norms the quick report would lack them; with them nothing is measured twice.
expect 0 explain model.safetensors --data data --out report --json
(($(grep -c '"step_limits"' out) == 0)) || fail "$last: the largest steps stand there twice"
(($(grep -c '"part":' out) == 10)) || fail "$last: other statistics, or one twice"
for norm in $(sed -n 's/^ *"spectral_norm": \(.*\),$/\1/p' out); do holds "$norm > 0"; done
expect 0 explain model.safetensors --data data --out report --json --quick
(($(grep -c '"spectral_norm": 0.0,' out) == 0)) || fail "$last: layers have no norm"

# The page's command trains the network again, to the byte; one for a network whose options are all unusual too.
for options in '--seed 3' '--activation leaky_relu:0.25 --padding 0.1 --identity-scale 0.9 --batch 7 --lr 0.004
  --decay-epochs 1 --optimizer adamw --momentum 0.8 --weight-decay 0.01 --layer-loss 0.1 --shuffle-labels 4 --limit 150' \
  '--compute bf16 --optimizer sgd'; do
  # shellcheck disable=SC2086 # words on purpose
  expect 0 train --data data --layers 3 --epochs 2 $options --out "of many options" --quiet
  cp "of many options" kept
  expect 0 explain "of many options" --data data --out report --json --quick
  command=$(sed -n 's/^ *"network made by": "\(.*\)",$/\1/p' out)
  rm "of many options"
  eval "${command/idelta train/\"$idelta\" train --quiet}" >out 2>err || fail "cannot run: $command"
  cmp -s kept "of many options" || fail "another network by: $command"
done

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
