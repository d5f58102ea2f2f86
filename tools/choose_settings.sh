#!/usr/bin/env bash
# The short trainings by which docs/results/fluid.md chooses settings: Fashion-MNIST, 3 epochs of
# 20,000 images, accuracies on 10,000 training images that were held out, seed 1. No test image is
# read.
#
#   tools/choose_settings.sh [--jobs N] [--only REGEX]
#
# A finished run in runs/held is skipped. Logs are copied to models/logs/held-out/. BRAID names the
# program (build/dev/bin/braid).
set -euo pipefail
cd "$(dirname "$0")/.."
export BRAID=${BRAID:-build/dev/bin/braid}
jobs=1 only=.
while [ $# -gt 0 ]; do
  case $1 in
    --jobs) jobs=$2; shift 2 ;;
    --only) only=$2; shift 2 ;;
    *) echo "usage: $0 [--jobs N] [--only REGEX]" >&2; exit 2 ;;
  esac
done

# NAME OPTIONS: a line a run.
runs() {
  local family rate batch
  for family in static fluid2 fluid4 ensemble2 dynamic; do
    for setting in "2.5e-3 64" "5e-3 64" "1e-2 64" "4e-3 32"; do
      read -r rate batch <<<"$setting"
      echo "${family}_lr${rate}_b${batch} --recipe $family --learning-rate $rate --batch $batch"
    done
  done
  python3 - <<'PYTHON'
import json
for name, (_, options) in json.load(open("models/logs/held-out/policies.json")).items():
    if "_lr" not in name:  # the chosen recipe is among the runs above
        print(name, "--recipe fluid2 --learning-rate 5e-3 --batch 64", options)
PYTHON
}

train_one() {
  local name=$1
  shift
  local folder=runs/held/$name
  if [ ! -e "$folder/result.json" ]; then
    "$BRAID" train --data fashion-mnist --validation 10000 --limit 20000 --epochs 3 \
      --out "$folder" --threads 1 --json "$@" >/dev/null || { echo "$name: failed" >&2; return 1; }
  fi
  cp "$folder/log.jsonl" "models/logs/held-out/$name.jsonl"
  echo "$name: done"
}
export -f train_one

runs | grep -E "$only" | xargs -P "$jobs" -I{} bash -c 'train_one $1' _ {}
