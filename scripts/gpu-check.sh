#!/usr/bin/env bash
# The proof on a GPU, in one command: agreement with the scalar reference, benchmarks, PyTorch beside them, with Node the
# JavaScript suite, and compute-sanitizer. Needs nvcc, CMake and a C++ compiler; all else is left out where it is missing.
#   scripts/gpu-check.sh [RESULTS]     RESULTS: where the report goes, bench/results/<device>.json by default
# A step that fails is named at the end, and the rest still runs. Takes less than ten minutes, or SFM_GPU_SECONDS. Without
# a GPU it says so, exits with 2, and writes nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tree=${SFM_GPU_TREE:-build/gpu}
logs=$tree/logs
failed=()
steps=()
begun=$SECONDS
readonly budget=${SFM_GPU_SECONDS:-570}
# The first device is the same for all that is asked.
export CUDA_DEVICE_ORDER=PCI_BUS_ID

# step NAME SECONDS COMMAND...: output goes to a log, of which a failure shows the end.
step() {
  local name=$1 limit=$2 left=$((budget - SECONDS + begun)) start=$SECONDS status=0
  shift 2
  if [ "$left" -lt 5 ]; then
    echo "-- $name: no time left"
    steps+=("\"$name\":\"no time left\"")
    failed+=("$name")
    return 0
  fi
  [ "$limit" -le "$left" ] || limit=$left
  echo "-- $name"
  # timeout starts programs alone: a function goes to a shell of its own.
  if [ "$(type -t "$1")" = function ]; then set -- bash -euo pipefail -c "$(declare -f "$1"); $1"; fi
  timeout --kill-after=10 "$limit" "$@" >"$logs/$name.log" 2>&1 || status=$?
  if [ "$status" -eq 0 ]; then
    echo "   ok, $((SECONDS - start)) s"
    steps+=("\"$name\":\"ok\"")
  else
    failed+=("$name")
    steps+=("\"$name\":\"failed with $status\"")
    tail -n 25 "$logs/$name.log" | sed 's/^/   | /'
    [ "$status" -ne 124 ] || echo "   ran out of its $limit s"
    echo "   failed; all of it in $logs/$name.log"
  fi
  return 0
}

skip() {
  echo "-- $1: left out, $2"
  steps+=("\"$1\":\"left out, $2\"")
}

has() { command -v "$1" >/dev/null 2>&1; }

# --- What is here -------------------------------------------------------------------------------------------------------
PATH=$PATH:${CUDA_PATH:-/usr/local/cuda}/bin:${CUDA_HOME:-/usr/local/cuda}/bin:/usr/local/cuda/bin
stop() {
  echo "$1: no results are written" >&2
  exit 2
}
nvidia-smi -L >/dev/null 2>&1 || stop 'there is no NVIDIA GPU here, or no driver for it'
for tool in nvcc cmake; do has "$tool" || stop "$tool is missing"; done
mkdir -p "$logs"
query() { nvidia-smi --query-gpu="$1" --format=csv,noheader | sed -n 1p; }
device=$(query name)
architecture=$(query compute_cap | tr -d '. ')
driver=$(query driver_version)
export tree architecture
echo "$device, compute capability $architecture, driver $driver"
nvidia-smi --query-gpu=name,memory.total,clocks.max.sm,clocks.max.memory,power.limit --format=csv || true

# --- Build --------------------------------------------------------------------------------------------------------------
configure() {
  cmake -S . -B "$tree" -DCMAKE_BUILD_TYPE=Release -DSFM_CUDA=ON -DSFM_CUDA_ARCHITECTURES="$architecture" \
    -DSFM_TESTS=OFF -DSFM_GPU_TESTS=ON -DSFM_BENCH=ON
}
step configure 60 configure
step build 300 cmake --build "$tree" --parallel "$(nproc)"

# --- Agreement ----------------------------------------------------------------------------------------------------------
tests=()
for test in "$tree"/cuda_*_test_on_device; do
  [ -x "$test" ] && tests+=("$test")
done
for test in "${tests[@]}"; do
  step "$(basename "$test")" 150 "$test"
done

# --- Benchmarks ---------------------------------------------------------------------------------------------------------
rm -f "$tree"/{decode,fit68,fit478,torch-decode,torch-fit}.json "$tree/problems.bin"
bench_decode() { "$tree/cuda_bench" --part decode >"$tree/decode.json"; }
bench_fit68() { "$tree/cuda_bench" --part fit68 --problems "$tree/problems.bin" >"$tree/fit68.json"; }
bench_fit478() { "$tree/cuda_bench" --part fit478 >"$tree/fit478.json"; }
for part in decode fit68 fit478; do
  step "bench-$part" 90 "bench_$part"
  cat "$logs/bench-$part.log" || true
done

if has python3 && python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' >/dev/null 2>&1; then
  torch_decode() { python3 bench/torch/decode.py >"$tree/torch-decode.json"; }
  torch_fit() { python3 bench/torch/fit.py "$tree/problems.bin" >"$tree/torch-fit.json"; }
  step torch-decode 60 torch_decode
  [ -s "$tree/problems.bin" ] && step torch-fit 90 torch_fit
  cat "$logs"/torch-*.log || true
else
  skip torch 'PyTorch with CUDA is not installed'
fi

# --- JavaScript ---------------------------------------------------------------------------------------------------------
if has node && [ -d node_modules/vitest ]; then
  javascript() {
    SFM_CUDA=ON SFM_CUDA_ARCHITECTURES=$architecture node scripts/build-native.mjs &&
      npx tsc -p tsconfig.build.json &&
      SFM_DEVICE=cuda npx vitest run test/unit/facade- test/unit/posterior- test/integration/accuracy test/integration/concurrency
  }
  step javascript 240 javascript
else
  skip javascript 'Node or the development dependencies are not installed'
fi

# --- The tests under the sanitizers: last, since nobody can tell how long they take ------------------------------------------
if has compute-sanitizer; then
  for tool in memcheck racecheck initcheck synccheck; do
    for test in "${tests[@]}"; do
      # A few cases of each, which its source names: the tools slow a kernel down a hundredfold.
      # shellcheck disable=SC2046
      step "$tool-$(basename "$test" _on_device)" 60 compute-sanitizer --tool "$tool" --error-exitcode 9 "$test" \
        $(sed -n 's|^// Under sanitizers: ||p' "native/test/$(basename "$test" _on_device).cpp")
    done
  done
else
  skip compute-sanitizer 'it is not installed'
fi

# --- Report -------------------------------------------------------------------------------------------------------------
[ -s "$tree/decode.json" ] || [ -s "$tree/fit68.json" ] || stop "no benchmark says anything (failed: ${failed[*]:-none})"
content() { if [ -s "$1" ]; then tr -d '\n' <"$1"; else printf null; fi; }
name=$(echo "$device" | tr '[:upper:] ' '[:lower:]-' | tr -cd 'a-z0-9-')
results=${1:-bench/results/$name.json}
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
{
  printf '{"date":"%s","commit":"%s","driver":"%s","nvcc":"%s",\n' "$(date -u +%F)" "$commit" "$driver" \
    "$(nvcc --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')"
  printf '"steps":{%s},\n' "$(IFS=,; echo "${steps[*]}")"
  printf '"decode":%s,\n"fit68":%s,\n"fit478":%s,\n' "$(content "$tree/decode.json")" "$(content "$tree/fit68.json")" \
    "$(content "$tree/fit478.json")"
  printf '"torchDecode":%s,\n"torchFit":%s}\n' "$(content "$tree/torch-decode.json")" "$(content "$tree/torch-fit.json")"
} >"$results.part"
mv "$results.part" "$results"
echo "-- $results, after $((SECONDS - begun)) s"
if [ ${#failed[@]} -gt 0 ]; then
  echo "failed: ${failed[*]}"
  exit 1
fi
echo 'all is well'
