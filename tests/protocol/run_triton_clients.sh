#!/bin/sh
# Runs Triton's own clients against a device: a virtual environment from the Python package registry,
# then the clients' checks, then perf_analyzer over both protocols where it can be had.
# Usage: run_triton_clients.sh BRAID MODEL_FILE MODEL_NAME FOLDER. Exit code 77: skipped, with the
# reason on standard output.
set -eu
braid=$1 model_file=$2 model=$3 folder=$4
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder"

skip() {
  echo "skipped: $1"
  exit 77
}

venv=$folder/venv
if ! [ -x "$venv/bin/tritonclient-ready" ]; then
  python3 -m venv "$venv" > "$folder/venv.log" 2>&1 || skip "python3 -m venv does not work here"
  timeout 300 "$venv/bin/pip" install -q 'tritonclient[http,grpc]' > "$folder/pip.log" 2>&1 ||
    skip "tritonclient cannot be had from the Python package registry"
  # The last wheels of the registry that bring perf_analyzer; it is linked to CUDA's runtime.
  python3 -m venv "$folder/analyzer" >> "$folder/venv.log" 2>&1
  timeout 300 "$folder/analyzer/bin/pip" install -q --no-deps tritonclient==2.41.1 \
    nvidia-cuda-runtime-cu12 >> "$folder/pip.log" 2>&1 || true
  printf '#!/bin/sh\n' > "$venv/bin/tritonclient-ready"
  chmod +x "$venv/bin/tritonclient-ready"
fi

"$braid" device --json --quiet --model "$model_file" --listen 127.0.0.1:0 --grpc 127.0.0.1:0 \
  --rest 127.0.0.1:0 --metrics none > "$folder/events" &
device=$!
trap 'kill $device 2> /dev/null || true; wait $device || true' EXIT
tries=0
until grep -q '"event":"ready"' "$folder/events" && grep -q '"event":"listening"' "$folder/events"; do
  tries=$((tries + 1))
  [ $tries -le 600 ] || { echo "the device does not become ready"; exit 1; }
  sleep 0.1
done
address() { sed -n "s/.*\"event\":\"listening\".*\"$1\":\"\([^\"]*\)\".*/\1/p" "$folder/events"; }
rest=$(address rest) grpc=$(address grpc)

"$venv/bin/python" "$here/triton_clients.py" "$rest" "$grpc" "$model"

analyzer=$folder/analyzer/bin/perf_analyzer
cuda=$(find "$folder/analyzer" -name 'libcudart.so.12' | head -n 1)
[ -z "$cuda" ] || export LD_LIBRARY_PATH="$(dirname "$cuda")"
if [ -x "$analyzer" ] && ! ldd "$analyzer" | grep -q 'not found'; then
  for protocol in http grpc; do
    [ $protocol = http ] && url=$rest || url=$grpc
    echo "perf_analyzer over $protocol"
    "$analyzer" -m "$model" -u "$url" -i $protocol --concurrency-range 4 \
      --measurement-mode count_windows --measurement-request-count 100 -s 90 -r 3 \
      > "$folder/perf_$protocol.log" 2>&1 || true
    grep -E "Throughput|Failed" "$folder/perf_$protocol.log" || {
      cat "$folder/perf_$protocol.log"
      exit 1
    }
  done
else
  echo "perf_analyzer: left out, it or a library of it (libb64-0d) cannot be had here"
fi
