# Sourced by every script of this folder, which are called as  <script>.sh <idelta>.  Each runs the program as a user
# would, in a folder of its own with a data set made here. What is not as it should be is counted, and finish() tells.
set -u
idelta=$(realpath "$1")
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

# Settings with which a small network learns these classes, and model.safetensors trained with them.
small=(--data data --layers 4 --epochs 5 --batch 20 --lr 0.01)
train_model() { expect 0 train "${small[@]}" --out model.safetensors --quiet; }

# The end of every script.
finish() {
  ((failures == 0)) || exit 1
  echo 'all as it should be'
}
