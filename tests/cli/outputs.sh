#!/usr/bin/env bash
# What a verb may write to: checked before its work, whole after it, kept as it was otherwise, and saved elsewhere if the
# place is lost.
source "${BASH_SOURCE[0]%/*}/setup.sh"
train_model
export TMPDIR=$folder/temporary HOME=$folder/home
mkdir "$TMPDIR" "$HOME"

# no_traces <folder>: nobody left a temporary file or a rescued one there.
no_traces() {
  local left
  left=$(find "$1" -name '.idelta-*' -o -name '*.part-*' -o -name '*.tmp-*' -o -name 'idelta-rescued-*')
  [[ -z $left ]] || fail "$last: left $left"
}

# ---- Places that cannot be written to, before any work: neither model nor data are there ---------------------------

mkfifo pipe
ln -s b a && ln -s a b
ln -s pipe to_pipe
ln -s nowhere/file dangling
ln -s nowhere dangling_folder
ln -s data linked_folder
long=$(printf 'x%.0s' {1..256})
declare -A reason=([data]='is a folder' [data/]='is a folder' [linked_folder/]='is a folder' [pipe]='is a pipe'
  [to_pipe]='is a pipe' [pipe/]='is no folder but a pipe; leave out the slash' [pipe/file]='pipe is no folder but a pipe'
  [a]='leads back to itself' [a/file]='leads back to itself' [a/b/file]='a is a link that leads back to itself'
  [dangling]='nowhere does not exist' [dangling/file]='a link to nowhere/file, which does not exist'
  [dangling_folder/file]='a link to nowhere, which does not exist'
  [dangling_folder/in/file]='dangling_folder is a link to nowhere, which does not exist'
  [model.safetensors/file]='is no folder' [model.safetensors/]='is no folder but a file; leave out the slash'
  [new/]='ends in a slash, which makes it a folder; leave the slash out, or name a file in it' [$long]='longer name'
  [$long/file]='longer name')
# A null device of our own; the real one must not be risked.
if mknod device c 1 3 2>/dev/null; then reason[device]='is a device' reason[device/]='is no folder but a device'; fi
for place in "${!reason[@]}"; do
  for work in 'train --data nowhere' 'compress nowhere --rank 4' 'predict nowhere --data nowhere'; do
    # shellcheck disable=SC2086 # words on purpose
    expect 2 $work --out "$place"
    one_error --out "${place%%/*}" "${reason[$place]}"
  done
done
for work in 'train --data nowhere' 'compress nowhere --rank 4' 'predict nowhere --data nowhere' 'explain nowhere --data nowhere'; do
  # shellcheck disable=SC2086 # words on purpose
  expect 2 $work --out ''
  one_error --out 'is empty'
done
# What is open already, by its name.
for place in /dev/stdout /dev/fd/1 /proc/self/fd/1; do
  last="idelta predict --out $place | cat"
  "$idelta" predict nowhere --data nowhere --out $place 2>err | cat >out
  ((PIPESTATUS[0] == 2)) || fail "$last: not refused"
  one_error --out $place 'is a pipe'
  last="idelta predict --out $place >file"
  "$idelta" predict nowhere --data nowhere --out $place 2>err >out
  one_error --out $place 'is a file that is open already'
done
[[ -p pipe && -L to_pipe && -L a && -L dangling && ! -e nowhere && ! -e new ]] || fail 'a place that was refused is another now'
[[ ! -v reason[device] || -c device ]] || fail 'the device is none any more'
no_traces .

mkdir -p taken/contribution_maps.png piped
mkfifo piped/report.json
for place in taken:'is a folder' piped:'is a pipe' model.safetensors:'is no folder' model.safetensors/:'is no folder' \
  pipe/:'is no folder but a pipe' a:'leads back to itself' dangling_folder:'is a link to nowhere, which does not exist' \
  dangling_folder/in:'is a link to nowhere, which does not exist'; do
  expect 2 explain nowhere --data nowhere --out "${place%%:*}"
  one_error --out "${place%%[/:]*}" "${place#*:}"
done

# Read-only places; root may write to them all, so it becomes nobody where the program can be reached.
as_nobody=()
((EUID != 0)) || as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
chmod 755 "$folder"
if "${as_nobody[@]}" "$idelta" --version >/dev/null 2>&1; then
  mkdir closed
  touch closed/file protected
  chmod 555 closed
  chmod 444 protected
  for place in closed/new closed/file protected; do
    code=0
    last="idelta train --out $place"
    "${as_nobody[@]}" "$idelta" train --data data --out $place >out 2>err || code=$?
    ((code == 2)) || fail "$last: exit code $code"
    one_error --out $place 'Permission denied'
  done
fi

# ---- Inputs are no outputs -----------------------------------------------------------------------------------------

cp -r data precious
cp model.safetensors precious/report.json
cp -r precious untouched
images=precious/train-images-idx3-ubyte.gz
expect 2 train --data precious --out $images
one_error --out $images 'a file of the data set'
expect 2 compress model.safetensors --data precious --out $images
one_error --out $images 'a file of the data set'
expect 2 predict model.safetensors --data precious --out precious/t10k-labels-idx1-ubyte
one_error --out precious/t10k-labels-idx1-ubyte 'a file of the data set'
expect 2 explain precious/report.json --data precious --out precious
one_error --out precious/report.json 'the model itself'
diff -r precious untouched || fail "$last: inputs were changed"

# ---- What is replaced keeps its link and its mode -------------------------------------------------------------------

# replaces <argument>...: such a verb, with --out, follows a link and keeps the mode of the file that it replaces.
replaces() {
  rm -rf there linked
  echo old >there
  chmod 600 there
  ln -s there linked
  expect 0 "$@" --out linked
  [[ -L linked && ! -L there ]] || fail "$last: the link was replaced"
  [[ $(stat -c %a there) == 600 ]] || fail "$last: the mode is $(stat -c %a there)"
  [[ $(head -c 3 there | tr -d '\0') != old ]] || fail "$last: the file was not written"
  no_traces .
}
replaces train "${small[@]}" --quiet
replaces compress model.safetensors --rank 4
replaces predict model.safetensors --data data
mkdir report
for file in report.json contribution_maps.png; do
  echo old >kept-$file
  chmod 600 kept-$file
  ln -s ../kept-$file report/$file
done
expect 0 explain model.safetensors --data data --out report
for file in report.json contribution_maps.png; do
  [[ -L report/$file && $(stat -c %a kept-$file) == 600 && $(head -c 3 kept-$file | tr -d '\0') != old ]] ||
    fail "$last: another $file"
done
(umask 077 && "$idelta" compress model.safetensors --rank 4 --out private.safetensors >out 2>err)
[[ $(stat -c %a private.safetensors) == 600 ]] || fail 'umask 077: the file may be read by others'

# ---- Places that are lost during the work ---------------------------------------------------------------------------

# start <out>: a training that would take hours, until it is in its second epoch; its number is $child. What it says goes
# through a pipe, which no limit on the size of files concerns.
start() {
  last="idelta train --out $1"
  rm -f err
  "$idelta" train --data data --layers 4 --epochs 10000000 --batch 20 --out "$1" >out 2> >(cat >err) &
  child=$!
  local waited=0
  until grep -qs 'epoch 2/' err || ((++waited > 600)); do sleep 0.1; done
}
# stop <exit code>: asks it to end.
stop() {
  local code=0 waited=0
  kill -TERM "$child"
  wait "$child" || code=$?
  until grep -q 'idelta: error: \|interrupted' err || ((++waited > 50)); do sleep 0.1; done
  ((code == $1)) || fail "$last: exit code $code, not $1"
}
# rescued <folder>: the last error names a sound model in a new folder there.
rescued() {
  local place
  place=$(sed -n 's/.*SAVED INSTEAD as //p' err)
  [[ $place == "$1"/idelta-rescued-*/model.safetensors ]] || fail "$last: saved in '$place', not in $1"
  expect 0 eval "$place" --data data
  rm -rf "${place%/*}"
}

mkdir gone
start gone/model.safetensors
rm -rf gone
stop 1
said err gone/model.safetensors
rescued .

cp model.safetensors whole.safetensors
start whole.safetensors
rm whole.safetensors
mkdir whole.safetensors
stop 1
said err 'is a folder'
[[ $(sed -n 's/.*SAVED INSTEAD as //p' err) == ./idelta-rescued-*/whole.safetensors ]] || fail "$last: saved nowhere"
rm -r idelta-rescued-*

cp model.safetensors kept.safetensors
start kept.safetensors
if prlimit --pid "$child" --fsize=1000 2>/dev/null; then
  stop 1
  said err 'File too large'
  said err 'it is lost'
else
  stop 143
  cp model.safetensors kept.safetensors
fi
cmp kept.safetensors model.safetensors || fail "$last: a save that failed changed the old file"
no_traces .

expect 0 compress model.safetensors --rank 4 --out c.safetensors
# A limit or a disk that is known to be too small before the work. ThreadSanitizer's own memory is a file.
works=('train --data data' 'compress model.safetensors --rank 4' 'compress model.safetensors --rank 4 --drop-dense'
  'predict model.safetensors --data data --split train'
  'predict c.safetensors --data data --split train --guarantee label')
[[ ${IDELTA_TEST_SANITIZE:-} != thread ]] || works=()
for work in "${works[@]}"; do
  last="idelta $work under ulimit -f 1"
  # shellcheck disable=SC2086 # words on purpose
  (ulimit -f 1 && "$idelta" $work --out small >out 2>err)
  (($? == 2)) || fail "$last: not refused"
  one_error --out small 'files are limited'
done
[[ ! -e small ]] || fail "$last: wrote a file"
if unshare --mount --map-root-user true 2>/dev/null; then
  cat >full.sh <<'SCRIPT'
mkdir disk && mount -t tmpfs -o size=64k none disk || exit 0
echo old >disk/model.safetensors
"$1" train --data data --layers 4 --epochs 1 --quiet --out disk/model.safetensors >out 2>err
echo $? >code_before
mount -o remount,size=300k disk
cp err err_before
head -c 280000 /dev/zero >disk/filler &&
"$1" compress model.safetensors --rank 30 --out disk/model.safetensors >out 2>err
echo $? >code_full
cp err err_full
"$1" compress model.safetensors --rank 30 --drop-dense --out disk/model.safetensors >out 2>err
echo $? >code_after
cat disk/model.safetensors >old_after
SCRIPT
  unshare --mount --map-root-user bash full.sh "$idelta"
  if [[ -e code_before ]]; then
    last='idelta train to a full disk'
    [[ $(<code_before) == 2 ]] || fail "$last: exit code $(<code_before)"
    grep -q 'disk has room for' err_before || fail "$last: does not say so"
    last='idelta compress to a full disk'
    [[ $(<code_full) == 2 ]] || fail "$last: exit code $(<code_full)"
    grep -q 'disk has room for' err_full || fail "$last: does not say so"
    last='idelta compress --drop-dense to a full disk'
    [[ $(<code_after) == 1 ]] || fail "$last: exit code $(<code_after)"
    said err 'No space left'
    rescued .
    [[ $(<old_after) == old ]] || fail "$last: the old file is another"
  fi
fi
no_traces .

finish
