#!/usr/bin/env bash
# Trains the committed networks again: every recipe, data set and seed of docs/results/fluid.md, by
# `braid train` with the recipe's defaults, which are what the cards' commands spell out.
#
#   tools/train_all.sh [--jobs N] [--only REGEX] [--list]
#
# A run lies in runs/all/NAME; one that has ended is skipped, one that was stopped goes on. Models
# and logs are copied to models/ and models/logs/. BRAID names the program (build/dev/bin/braid).
set -euo pipefail
cd "$(dirname "$0")/.."
export BRAID=${BRAID:-build/dev/bin/braid}
jobs=1 only=. list=

while [ $# -gt 0 ]; do
  case $1 in
    --jobs) jobs=$2; shift 2 ;;
    --only) only=$2; shift 2 ;;
    --list) list=yes; shift ;;
    *) echo "usage: $0 [--jobs N] [--only REGEX] [--list]" >&2; exit 2 ;;
  esac
done

# The names, in the order of training: what the benchmarks need comes first.
names() {
  local seed data recipe
  for recipe in fluid2 static fluid4 ensemble2 alone1 alone3 dynamic; do
    echo "${recipe}_cifar10_s1"
  done
  for seed in 1 2 3; do
    for recipe in static fluid2 dynamic fluid4 ensemble2 alone1 alone3; do
      for data in mnist fashion-mnist; do echo "${recipe}_${data}_s${seed}"; done
    done
  done
  echo fluid4_digits_s1
}

train_one() {
  local name=$1 recipe data seed backbone=cnn
  IFS=_ read -r recipe data seed <<<"$name"
  [ "$data" = cifar10 ] && backbone=resnet
  local folder=runs/all/$name
  if [ ! -e "$folder/result.json" ]; then
    "$BRAID" train --recipe "$recipe" --data "$data" --backbone "$backbone" --seed "${seed#s}" \
      --out "$folder" --resume --threads 1 --json >/dev/null || { echo "$name: failed" >&2; return 1; }
  fi
  mkdir -p models/logs
  cp "$folder/log.jsonl" "models/logs/$name.jsonl"
  cp "$folder/$name.braid" "models/$name.braid"
  echo "$name: done"
}
export -f train_one

if [ -n "$list" ]; then
  names | grep -E "$only"
else
  names | grep -E "$only" | xargs -P "$jobs" -I{} bash -c 'train_one "$1"' _ {}
fi
