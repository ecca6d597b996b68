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
train_model
expect 0 explain model.safetensors --data data --out report

page=report/report.html
[[ $(stat -c %s $page) -lt 2000000 ]] || fail "$page has $(stat -c %s $page) bytes"
grep -qE '(src|href|action)="?(https?:)?//|@import|url\("?https?:' $page && fail "$page: fetches something"

# A copy that judges itself, in a frame: a window of Chromium is never narrower than 500 pixels.
{
  echo '<script>window.errors = []; addEventListener("error", e => errors.push("error: " + e.message));'
  echo 'addEventListener("unhandledrejection", e => errors.push("error: " + e.reason));</script>'
  cat $page
  echo '<script>const report ='
  sed 's|</|<\\/|g' report/report.json
  echo ';</script><script>'
  cat "$check"
  echo '</script>'
} >judged.html
sed -i '1{h;d};2{H;d};3{p;x}' judged.html # the document type first

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

for look in light dark; do
  scheme=$([[ $look == dark ]] && echo 0 || echo 1)
  for width in 400 800 1400; do
    last="the page at $width pixels, $look"
    frame judged.html $width >frame.html
    browse --window-size=$((width < 500 ? 500 : width)),2000 --dump-dom "file://$folder/frame.html" >out
    findings=$(sed -n '/<pre id="findings"/,/<\/pre>/p' out | sed 's/.*hidden="">//; s/<\/pre>.*//')
    [[ $findings == 'all as it should be' ]] || { echo "$findings" >out && fail "$last"; }
    [[ ! -s err ]] || fail "$last: console messages"
    frame $page $width >frame.html
    browse --window-size=$((width < 500 ? 500 : width)),11000 --screenshot="$kept/$look-$width.png" \
      "file://$folder/frame.html" >out || fail "$last: no screenshot"
    [[ -s $kept/$look-$width.png ]] || fail "$last: no screenshot"
  done
done
finish
