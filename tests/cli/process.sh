# The program among signals, pipes, terminals, environment variables, and numbers that cannot be.
source "${BASH_SOURCE[0]%/*}/setup.sh"

# ended <wanted> <code>
ended() { (($1 == $2)) || fail "$last: exit code $2, not $1"; }

small=(train --data data --layers 2 --batch 20 --lr 0.01)
expect 0 "${small[@]}" --out model.safetensors

# ---- Signals -------------------------------------------------------------------------------------------------------

# begin <argument>...: a training that would take hours, in the background, in its second epoch; its process is $child.
# A shell ignores SIGINT for its background jobs; env gives it its effect back.
begin() {
  local waited=0
  rm -f stopped.safetensors err
  "${before[@]}" "$idelta" "${small[@]}" --epochs 100000000 --out stopped.safetensors "$@" >out 2>err &
  child=$!
  until grep -qs "epoch 2/" err || ((++waited > 600)); do sleep 0.05; done
}
# end: its exit code; a program that does not stop must fail the test, not hang it.
end() {
  local code=0 waited=0
  while kill -0 "$child" 2>/dev/null && ((++waited < 600)); do sleep 0.05; done
  kill -KILL "$child" 2>/dev/null
  wait "$child" 2>/dev/null || code=$?
  ended "$1" "$code"
}
for signal in INT:130 TERM:143 HUP:129; do
  last="idelta train, stopped by SIG${signal%:*}"
  before=(env --default-signal=INT)
  begin
  kill "-${signal%:*}" "$child"
  end "${signal#*:}"
  said err 'is saved: stopped.safetensors'
  expect 0 eval stopped.safetensors --data data
done

# ThreadSanitizer delivers signals later, in an order of its own.
if [[ ${IDELTA_TEST_SANITIZE:-} != thread ]]; then
  last='idelta train, a second signal while the first one is served'
  before=(env)
  begin
  kill -STOP "$child"
  kill -HUP "$child"
  kill -TERM "$child"
  kill -CONT "$child"
  end 143
  [[ ! -e stopped.safetensors ]] || fail "$last: saved all the same"
fi

last='idelta train, with signals that its parent ignores'
before=(env --ignore-signal=HUP --ignore-signal=INT)
begin
kill -HUP "$child"
kill -INT "$child"
sleep 0.3
said err 'epoch'
grep -q 'stopping' err && fail "$last: was stopped by one"
kill -TERM "$child"
end 143

last='idelta train, of which nobody reads on'
code=0
("$idelta" "${small[@]}" --epochs 200 --eval-every 1 --out piped.safetensors 2>err) | head -1 >out
code=${PIPESTATUS[0]}
ended 141 "$code"
expect 0 eval piped.safetensors --data data
for ignored in '' --ignore-signal=PIPE; do
  last="env $ignored idelta eval | nobody"
  { sleep 0.3 && env $ignored "$idelta" eval model.safetensors --data data 2>err; } | true
  ended 141 "${PIPESTATUS[0]}"
  [[ ! -s err ]] || fail "$last: not quiet"
done

# ---- Terminals -----------------------------------------------------------------------------------------------------

# seen <name=value>...: what a terminal that is stderr gets while idelta trains so.
seen() {
  last="idelta train on a terminal, $*"
  env "$@" script --quiet --return --command "'$idelta' ${small[*]} --epochs 2 --out seen.safetensors >out" typescript \
    </dev/null >/dev/null || fail "$last: exit code $?"
  cp typescript err
  said err 'epoch 2/2'
}
for terminal in TERM=dumb NO_COLOR=1 TERM=; do
  seen TERM=xterm "$terminal"
  grep -q $'\033' err && fail "$last: escape sequences"
done
seen TERM=xterm NO_COLOR=
grep -q $'\033' err || fail "$last: no bar"

last='idelta explain on a terminal'
env TERM=xterm NO_COLOR= script --quiet --return --command \
  "'$idelta' explain seen.safetensors --data data --out report >out" err </dev/null >/dev/null || fail "$last: exit code $?"
for part in 'read-outs of all layers' 'linear probes' lesions 'singular values' controls 'pixel flipping'; do
  said err "explaining: $part"
done
grep -q '40/40' err || fail "$last: the bar does not move"

# ---- Environment variables -----------------------------------------------------------------------------------------

expect 0 --help
variables=$(sed -n 's/^ *\(IDELTA_[A-Z0-9_]*\) .*/\1/p' out)
for name in ISA THREADS SPIN_US BIND BF16 CACHES DATA; do
  grep -qx "IDELTA_$name" <<<"$variables" || fail "$last: does not list IDELTA_$name"
done
for code in 0 1 2 3 129 130 141 143; do grep -qE "(^|[^0-9])$code([^0-9]|$)" out || fail "$last: no exit code $code"; done
awk 'length > 100' out | grep -q . && fail "$last: a line is wider than 100 columns"
for name in $variables; do
  export "$name="
  expect 0 train --data data --layers 1 --epochs 1 --out empty.safetensors
  [[ $name == IDELTA_DATA ]] || {
    export "$name=nonsense"
    expect 2 info
    one_error "$name" nonsense
  }
  unset "$name"
done

# Every verb that takes an instruction set lists those of the library.
for verb in info train eval explain predict compress bench; do
  expect 0 $verb --help
  said out 'auto, scalar, avx2, avx512, amx'
done

# ---- Numbers out of range ------------------------------------------------------------------------------------------

# refused <option> <value> <argument>...: a usage error that names both, before anything is printed.
refused() {
  local option=$1 value=$2
  shift 2
  expect 2 "$@" "$option=$value"
  one_error "$option" "$value"
  [[ ! -s out ]] || fail "$last: printed something first"
}
for value in 0 -1 1.5 16777217 9223372036854775808 many; do
  for option in --n --m; do refused $option $value bench; done
  refused --threads $value bench
done
refused --seconds nan bench
# The reason is true: a number may be too large, or too near 0, and still be one.
for value in 86401 1e300 1e400; do
  refused --seconds $value bench
  said err 'too large; give at most 86400'
done
for list in 8,,9 ,8 8, , many; do
  for option in --n --m --threads; do refused $option $list bench; done
done
for value in 1e39 1e400; do
  refused --lr $value "${small[@]}" --out m.safetensors
  said err 'too large'
done
for value in 1e-50 1e-400; do
  refused --lr $value "${small[@]}" --out m.safetensors
  said err 'nearer to 0'
done
refused --padding -1e39 "${small[@]}" --out m.safetensors
refused --sigma 1e400 compress model.safetensors --out m.safetensors
said err 'too large'
refused --epochs 99999999999999999999 "${small[@]}" --out m.safetensors
said err 'too large; give at most 9223372036854775807'
for verb in info 'bench --seconds 0 --n 8 --m 1' "${small[*]} --out m.safetensors" 'eval model.safetensors --data data'; do
  # shellcheck disable=SC2086 # a list of words, split on purpose
  for value in -1 1.5 2147483648 9223372036854775808; do refused --threads $value $verb; done
done
for option in --layers --epochs --batch --decay-epochs --seed --limit --eval-every; do
  for value in -1 1.5 99999999999999999999; do refused $option $value "${small[@]:0:3}" --out m.safetensors; done
done
expect 2 train --data data --out m.safetensors --layers 9223372036854775807
one_error layers 9223372036854775807
for verb in eval compress; do
  for value in 0 -1 9223372036854775808; do refused --rank $value $verb model.safetensors --data data; done
done

finish
