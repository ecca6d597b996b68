#!/usr/bin/env bash
# page.sh <idelta> <check.js> <folder>: the report of a small network in headless Chromium, at 400, 800 and 1400 pixels,
# light and dark. Screenshots stay in the folder. Skipped (77) where there is no Chromium.
check=$(realpath "$2")
mkdir -p "$3"
kept=$(realpath "$3")
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
  echo 'no Chromium here'
  exit 77
}
source "${BASH_SOURCE[0]%/*}/../cli/setup.sh"
# frame <page> <width>: the page in a frame so wide.
frame() {
  printf '<!doctype html><meta name="color-scheme" content="light dark"><style>body{margin:0}iframe{border:0;width:%dpx;height:11000px}</style>' "$2"
  printf '<pre id="findings" hidden>never answered</pre><iframe src="%s"></iframe>' "$1"
  printf '<script>addEventListener("message", e => { findings.textContent = e.data; });</script>'
}
browse() {
  timeout 120 "$browser" --headless --no-sandbox --disable-gpu --no-first-run --hide-scrollbars \
    --user-data-dir="$folder/profile" --host-resolver-rules='MAP * ~NOTFOUND' --enable-logging=stderr \
    --blink-settings=preferredColorScheme="$scheme" --virtual-time-budget=20000 "$@" 2>log || return
  grep ':CONSOLE' log >err # what the browser says of its surroundings is not about the page
  return 0
}

# judge <folder of a report> <width> <look>
judge() {
  local page=$1/report.html
  last="$1 at $2 pixels, $3"
  scheme=$([[ $3 == dark ]] && echo 0 || echo 1)
  # A copy that judges itself, in a frame: a window of Chromium is never narrower than 500 pixels.
  {
    head -1 "$page" # the document type
    echo '<script>window.errors = []; addEventListener("error", e => errors.push("error: " + e.message));'
    echo 'addEventListener("unhandledrejection", e => errors.push("error: " + e.reason));</script>'
    tail -n +2 "$page"
    echo '<script>const report ='
    sed 's|</|<\\/|g' "$1/report.json"
    echo ';</script><script>'
    cat "$check"
    echo '</script>'
  } >judged.html
  frame judged.html "$2" >frame.html
  browse --window-size=$(($2 < 500 ? 500 : $2)),2000 --dump-dom "file://$folder/frame.html" >out
  findings=$(sed -n '/<pre id="findings"/,/<\/pre>/p' out | sed 's/.*hidden="">//; s/<\/pre>.*//')
  [[ $findings == 'all as it should be' ]] || { echo "$findings" >out && fail "$last"; }
  [[ ! -s err ]] || fail "$last: console messages"
  frame "$page" "$2" >frame.html
  browse --window-size=$(($2 < 500 ? 500 : $2)),11000 --screenshot="$kept/$1-$3-$2.png" \
    "file://$folder/frame.html" >out
  [[ -s $kept/$1-$3-$2.png ]] || fail "$last: no screenshot"
}

# explain_into <folder> <model> <data>
explain_into() {
  expect 0 explain "$2" --data "$3" --out "$1"
  local page=$1/report.html
  (($(stat -c %s "$page") < 2000000)) || fail "$page has $(stat -c %s "$page") bytes"
  grep -qE '(src|href|action)="?(https?:)?//|@import|url\("?https?:' "$page" && fail "$page: fetches something"
}

train_model
explain_into pictures model.safetensors data
for width in 400 800 1400; do
  judge pictures $width light
  judge pictures $width dark
done

# So many layers that not each has its number on an axis.
expect 0 train --data data --layers 30 --epochs 1 --batch 50 --lr 0.001 --out deep.safetensors --quiet
expect 0 explain deep.safetensors --data data --out deep --quick
judge deep 1000 light

awk 'BEGIN { srand(3); print "length,width,a feature of a long name,kind"
  for (i = 0; i < 150; ++i) printf "%.2f,%.2f,%.2f,%s\n", i % 3 + rand(), 2 - i % 3 + rand(), rand(),
    i % 3 == 0 ? "red" : i % 3 == 1 ? "green" : "blue" }' >table.csv
expect 0 train --data table.csv --layers 4 --epochs 20 --batch 10 --lr 0.02 --out features.safetensors --quiet
explain_into features features.safetensors table.csv
judge features 400 light
judge features 1400 dark
finish
