// What this machine's limits are, measured with loops of nothing else on one thread, and what the decoder's kernels reach
// of them without JavaScript around: JSON on standard output. Compiled for the machine that it is built on.
//   decode_bench [--batches 1,8,64,512] [--runs 15]
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "bench/DefaultSize.h"
#include "bench/HostTiming.h"
#include "bench/Json.h"
#include "core/AlignedBuffer.h"
#include "cpu/CpuBackend.h"

using namespace sfm;
using namespace sfm::bench;

namespace {

#if defined(__GNUC__)
#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
typedef float Lanes __attribute__((vector_size(kLanes * 4)));

// Multiply-adds on registers, ten chains of them, which is enough to wait for none.
double multiplyAdds() {
  constexpr int kChains = 10, kSteps = 2000000;
  Lanes result = {};
  const Times times = timeOnHost(9, [&] {
    Lanes a, b, sums[kChains];
    for (int i = 0; i < kLanes; ++i) {
      a[i] = 0.999f;
      b[i] = 0.001f * static_cast<float>(i);
    }
    __asm__ volatile("" : "+x"(a));  // a register, not a constant in memory
#pragma GCC unroll 10
    for (int c = 0; c < kChains; ++c) sums[c] = result + static_cast<float>(c);  // no two chains are the same
    for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 10
      for (int c = 0; c < kChains; ++c) sums[c] = sums[c] * a + b;
    }
#pragma GCC unroll 10
    for (int c = 0; c < kChains; ++c) result += sums[c];
  });
  __asm__ volatile("" : "+x"(result));
  return 2.0 * kLanes * kChains * kSteps / times.least / 1e6;
}
#else
double multiplyAdds() { return 0; }
#endif

struct Stores {
  double plain, streamed;  // GB/s
};

Stores stores() {
  const size_t size = size_t{32} << 20;  // numbers: 128 MB, more than any cache
  AlignedBuffer<float> to(size);
  Stores result = {};
#if defined(__SSE2__)
  const auto fill = [&](auto store, float value) {
    const __m128 v = _mm_set1_ps(value);
    for (size_t i = 0; i < size; i += 4) store(to.data() + i, v);
    _mm_sfence();
  };
  const double bytes = static_cast<double>(size * sizeof(float));
  result.plain = bytes / timeOnHost(9, [&] { fill([](float* p, __m128 v) { _mm_store_ps(p, v); }, 1); }).least / 1e6;
  result.streamed =
      bytes / timeOnHost(9, [&] { fill([](float* p, __m128 v) { _mm_stream_ps(p, v); }, 2); }).least / 1e6;
#else
  const double bytes = static_cast<double>(size * sizeof(float));
  result.plain = bytes / timeOnHost(9, [&] { std::memset(to.data(), 1, size * sizeof(float)); }).least / 1e6;
#endif
  return result;
}

// Decodes some faces, their panels and themselves in blocks as the backend does: decode(panelBegin, panelEnd, faceBegin, faceEnd).
template <class Decode>
Times timeDecoding(int runs, int batch, int panels, const Decode& decode) {
  constexpr int kFaces = 256, kPanels = 64;
  return timeOnHost(runs, [&] {
    for (int face = 0; face < batch; face += kFaces)
      for (int panel = 0; panel < panels; panel += kPanels)
        decode(panel, std::min(panels, panel + kPanels), face, std::min(batch, face + kFaces));
  });
}

void benchKernels(Json& json, const FaceModel& model, const std::vector<int>& batches, int runs) {
  const DecodeBasis& basis = model.decodeBasis();
  const MirroredBasis& mirrored = *model.mirroredBasis();
  json.key("decode").open('[');
  for (const int batch : batches) {
    const size_t size = static_cast<size_t>(batch) * basis.pointCount * 3;
    std::vector<float> coefficients(static_cast<size_t>(batch) * std::max(basis.columnCount, mirrored.rowCount()));
    test::Random random(7);
    for (float& value : coefficients) value = static_cast<float>(random.normal());
    AlignedBuffer<float> out(size + 4);
    DecodeFaces faces{coefficients.data(), nullptr, out.data()};
    const auto report = [&](const CpuKernels& kernels, const char* way, const Times& times, double multiplyAdds) {
      json.open('{').member("batch", batch).member("instructionSet", std::string(kernels.name));
      json.member("way", std::string(way)).key("milliseconds").open('{');
      json.member("median", times.median).member("min", times.least).member("max", times.most);
      json.member("runs", times.runs).member("cpu", times.cpu).close('}');
      json.member("gflops", 2 * multiplyAdds / times.median / 1e6);
      json.member("writtenGBps", static_cast<double>(size * sizeof(float)) / times.median / 1e6).close('}');
    };
    for (const CpuKernels* kernels : cpuKernels()) {
      if (kernels == &kPortableKernels && cpuKernels().size() > 1) continue;
      const DecodeFunction decode = kernels->decodeOnTiles ? kernels->decodeOnTiles : kernels->decode;
      AlignedBuffer<float> scratch(decodeScratch(basis, 256));
      for (const bool stream : {false, true}) {
        faces.stream = stream;
        const Times times = timeDecoding(runs, batch, basis.panelCount, [&](int panel, int end, int face, int last) {
          decode(basis, faces, panel, end, face, last, scratch.data());
        });
        report(*kernels, stream ? "streaming" : "plain", times, static_cast<double>(size) * basis.columnCount);
      }
      const Times times = timeDecoding(runs, batch, mirrored.panelCount, [&](int panel, int end, int face, int last) {
        kernels->decodeMirrored(mirrored, faces, panel, end, face, last);
      });
      report(*kernels, "both sides", times,
             static_cast<double>(batch) * mirrored.panelCount * MirroredBasis::kRow * mirrored.rowCount());
    }
  }
  json.close(']');
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<int> batches = {1, 8, 64, 512};
  int runs = 15;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--runs") == 0) runs = std::max(1, std::atoi(argv[i + 1]));
    if (std::strcmp(argv[i], "--batches") != 0) continue;
    batches.clear();
    for (const char* at = argv[i + 1]; *at; at += *at == ',') {
      char* end = nullptr;
      batches.push_back(static_cast<int>(std::strtol(at, &end, 10)));
      if (end == at || batches.back() < 1) return 2;
      at = end;
    }
  }
  try {
    const auto model = defaultSizeModel();
    Json json;
    const Stores store = stores();
    json.open('{').key("limits").open('{').member("gflops", multiplyAdds()).member("storeGBps", store.plain);
    json.member("streamGBps", store.streamed).close('}');
    json.member("columns", model->decodeBasis().columnCount);
    json.member("basisBytes", static_cast<double>(model->decodeBasis().bytes()));
    benchKernels(json, *model, batches, runs);
    std::printf("%s\n", json.close('}').text().c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
