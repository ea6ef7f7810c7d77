"""Decoding by numpy and by PyTorch on one thread, for bench/decode.mjs: one matrix product of the same sizes.

    decode.py FILE      little-endian: int64 columns, numbers a face; then float32 basis [columns, numbers], mean, and the
                        coefficients [faces, columns] of the largest batch

Tells on its first line, as JSON, which libraries there are and which BLAS they use. Then answers lines such as "numpy 64":
decodes the first 64 faces once and tells the milliseconds it took, by the clock and of the processor; "check numpy 64" tells the sum of the magnitudes.
"""

import json
import sys
import time

import numpy


def main() -> None:
    with open(sys.argv[1], "rb") as file:
        columns, size = (int(n) for n in numpy.fromfile(file, numpy.int64, 2))
        numbers = numpy.fromfile(file, numpy.float32)
    basis = numbers[: columns * size].reshape(columns, size)
    mean = numbers[columns * size : (columns + 1) * size]
    faces = numbers[(columns + 1) * size :].reshape(-1, columns)
    # The mean as one more column, whose coefficient is 1: numpy has no product that adds.
    augmented = numpy.concatenate([basis, mean[None]])
    coefficients = numpy.concatenate([faces, numpy.ones((len(faces), 1), numpy.float32)], axis=1)
    outputs = {}

    def numpy_decode(batch: int) -> numpy.ndarray:
        out = outputs.setdefault(("numpy", batch), numpy.empty((batch, size), numpy.float32))
        return numpy.matmul(coefficients[:batch], augmented, out=out)

    run = {"numpy": numpy_decode}
    libraries = {"numpy": numpy.__version__}
    try:
        import torch

        torch.set_num_threads(1)
        torch.set_grad_enabled(False)
        of_torch = [torch.from_numpy(array.copy()) for array in (mean, faces, basis)]

        def torch_decode(batch: int) -> numpy.ndarray:
            out = outputs.setdefault(("torch", batch), torch.empty((batch, size)))
            return torch.addmm(of_torch[0], of_torch[1][:batch], of_torch[2], out=out).numpy()

        run["torch"] = torch_decode
        libraries["torch"] = torch.__version__
    except ImportError:
        pass
    blas = sorted({line.split()[-1] for line in open("/proc/self/maps") if "blas" in line or "mkl" in line})
    print(json.dumps({"libraries": libraries, "blas": blas}), flush=True)
    for line in sys.stdin:
        *check, name, batch = line.split()
        begin, used = time.perf_counter(), time.process_time()
        out = run[name](int(batch))
        elapsed = [1e3 * (time.perf_counter() - begin), 1e3 * (time.process_time() - used)]
        print(float(numpy.abs(out).sum(dtype=numpy.float64)) if check else elapsed, flush=True)


if __name__ == "__main__":
    main()
