// What this machine's limits are, measured with loops of nothing else on one thread, and what the decoder's kernels reach
// of them without JavaScript around: JSON on standard output.
//   decode_bench [--batches 1,8,64,512] [--runs 15]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "bench/DefaultSize.h"
#include "bench/HostTiming.h"
#include "bench/Json.h"
#include "core/AlignedBuffer.h"
#include "cpu/CpuBackend.h"

using namespace sfm;
using namespace sfm::bench;

namespace {

// GFLOP/s.
double multiplyAdds(const CpuKernels& kernels) {
  float sink[16];
  std::fill(sink, sink + 16, 0.5f);
  double made = 0;
  const Times times = timeOnHost(9, [&] { made = kernels.multiplyAdds(2000000, sink); });
  return 2 * made / times.least / 1e6;
}

struct Stores {
  double plain, streamed;  // GB/s
};

Stores stores(const CpuKernels& kernels) {
  const size_t size = size_t{32} << 20;  // numbers: 128 MB, more than any cache
  AlignedBuffer<float> to(size);
  const double bytes = static_cast<double>(size * sizeof(float));
  Stores result;
  result.plain = bytes / timeOnHost(9, [&] { std::fill(to.data(), to.data() + size, 1.0f); }).least / 1e6;
  result.streamed = bytes / timeOnHost(9, [&] { kernels.stream(to.data(), size, 2); }).least / 1e6;
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
      const bool onTiles = kernels->decodeOnTiles != nullptr;
      const DecodeFunction decode = onTiles ? kernels->decodeOnTiles : kernels->decode;
      const DecodeMirroredFunction decodeMirrored = onTiles ? kernels->decodeMirroredOnTiles : kernels->decodeMirrored;
      AlignedBuffer<float> scratch(std::max(decodeScratch(basis, 256), decodeScratch(mirrored, 256)));
      for (const bool stream : {false, true}) {
        faces.stream = stream;
        const Times times = timeDecoding(runs, batch, basis.panelCount, [&](int panel, int end, int face, int last) {
          decode(basis, faces, panel, end, face, last, scratch.data());
        });
        report(*kernels, stream ? "streaming" : "plain", times, static_cast<double>(size) * basis.columnCount);
      }
      for (const bool stream : {false, true}) {
        if (stream && !onTiles) continue;  // on vectors they do not stream
        faces.stream = stream;
        const Times times = timeDecoding(runs, batch, mirrored.panelCount, [&](int panel, int end, int face, int last) {
          decodeMirrored(mirrored, faces, panel, end, face, last, scratch.data());
        });
        report(*kernels, stream ? "both sides, streaming" : "both sides", times,
               static_cast<double>(batch) * mirrored.panelCount * MirroredBasis::kRow * mirrored.rowCount());
      }
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
    const CpuKernels& best = *cpuKernels().front();
    const Stores store = stores(best);
    json.open('{').key("limits").open('{').member("gflops", multiplyAdds(best)).member("storeGBps", store.plain);
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
