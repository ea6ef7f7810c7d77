"""Decoding by PyTorch on the first CUDA device: addmm in single precision, of the sizes of the default model.

Prints JSON: one entry a batch size, the median of the device's own events, inputs and outputs rotated beyond the second
cache, as native/bench/cuda_bench.cpp does.
"""

import json
import statistics
import sys

import torch

VERTICES, COLUMNS = 8780, 128
ROTATION = 512 << 20


def measure(batch: int) -> dict:
    device = torch.device("cuda:0")
    row = 3 * VERTICES
    turns = max(1, min(1024, ROTATION // (4 * batch * (row + COLUMNS))))
    basis = torch.randn(COLUMNS, row, device=device)
    mean = torch.randn(row, device=device)
    inputs = [torch.randn(batch, COLUMNS, device=device) for _ in range(turns)]
    outputs = [torch.empty(batch, row, device=device) for _ in range(turns)]
    runs = 200 if batch < 512 else 50
    for turn in range(5):
        torch.addmm(mean, inputs[turn % turns], basis, out=outputs[turn % turns])
    events = [torch.cuda.Event(enable_timing=True) for _ in range(runs + 1)]
    events[0].record()
    for turn in range(runs):
        torch.addmm(mean, inputs[turn % turns], basis, out=outputs[turn % turns])
        events[turn + 1].record()
    torch.cuda.synchronize()
    times = [a.elapsed_time(b) for a, b in zip(events, events[1:])]
    median = statistics.median(times)
    return {
        "batch": batch,
        "milliseconds": {"median": median, "min": min(times), "max": max(times), "runs": runs},
        "facesPerSecond": batch * 1e3 / median,
        "writtenGBps": 4 * batch * row / median / 1e6,
    }


def main() -> None:
    # Single precision, not what the tensor cores make of it.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.manual_seed(1)
    results = []
    for batch in (1, 8, 64, 512, 4096):
        results.append(measure(batch))
        print(f"torch addmm, {batch} faces: {results[-1]['milliseconds']['median']:.4f} ms", file=sys.stderr)
    print(json.dumps({"torch": torch.__version__, "decode": results}))


if __name__ == "__main__":
    main()
