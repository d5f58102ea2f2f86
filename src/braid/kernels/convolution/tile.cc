#include "braid/kernels/convolution/tile.h"

#include <cstring>

#include "braid/kernels/convolution/convolution.h"
#include "braid/kernels/generated/generator.h"

namespace braid::kernels {

Runs RunsOf(const SourceShape& source) {
  const bool touching = source.kernel_w == 1 || source.tap_stride_w == source.channels;
  Runs runs;
  runs.rows = source.kernel_h;
  runs.per_row = touching ? 1 : source.kernel_w;
  runs.bytes = touching ? source.kernel_w * source.channels : source.channels;
  return runs;
}

size_t PanelOffsetBytes(const SourceShape& source, int lanes) {
  return source.encoding == Encoding::kBiased ? static_cast<size_t>(lanes) * sizeof(int32_t) : 0;
}

size_t PanelBytes(const SourceShape& source, int lanes) {
  const size_t bytes =
      PanelOffsetBytes(source, lanes) +
      static_cast<size_t>(RunsOf(source).total_steps()) * static_cast<size_t>(lanes) * 4;
  // Panels are read side by side. At a distance of whole pages all of them would fall into the
  // same sets of an L1 cache; five lines more keep each one's next lines out of the others' way.
  constexpr size_t kPage = 4096, kGap = 5 * 64;
  return bytes >= kPage && bytes % (kPage / 2) == 0 ? bytes + kGap : bytes;
}

size_t TileBytes(Path path, const SourceShape& source, int out_channels) {
  const generated::Generator* generator = generated::GeneratorFor(path);
  if (generator == nullptr) {
    return static_cast<size_t>(source.kernel_h) * static_cast<size_t>(source.kernel_w) *
           static_cast<size_t>(source.channels) * static_cast<size_t>(out_channels);
  }
  const int lanes = generator->Lanes(out_channels);
  return static_cast<size_t>((out_channels + lanes - 1) / lanes) * PanelBytes(source, lanes);
}

void PackTile(Path path, const SourceShape& source, int out_channels, const int8_t* weights,
              std::byte* tile) {
  std::memset(tile, 0, TileBytes(path, source, out_channels));
  const generated::Generator* generator = generated::GeneratorFor(path);
  if (generator == nullptr) {
    std::memcpy(tile, weights, TileBytes(path, source, out_channels));
    return;
  }
  const auto lanes = static_cast<size_t>(generator->Lanes(out_channels));
  const size_t panel_bytes = PanelBytes(source, static_cast<int>(lanes));
  const size_t offset_bytes = PanelOffsetBytes(source, static_cast<int>(lanes));
  const Runs runs = RunsOf(source);
  const auto run_bytes = static_cast<size_t>(runs.bytes);
  const size_t run_count = static_cast<size_t>(runs.rows) * static_cast<size_t>(runs.per_row);
  const auto run_steps = static_cast<size_t>(runs.steps());
  for (size_t o = 0; o < static_cast<size_t>(out_channels); ++o) {
    const size_t lane = o % lanes;
    std::byte* panel = tile + o / lanes * panel_bytes;
    uint32_t sum = 0;
    for (size_t run = 0; run < run_count; ++run) {
      for (size_t i = 0; i < run_bytes; ++i) {
        const int8_t weight = *weights++;
        sum += static_cast<uint32_t>(int32_t{weight});
        const size_t step = run * run_steps + i / 4;
        panel[offset_bytes + (step * lanes + lane) * 4 + i % 4] = static_cast<std::byte>(weight);
      }
    }
    if (offset_bytes != 0) {
      const uint32_t offset = 0u - 128u * sum;
      std::memcpy(panel + lane * sizeof(offset), &offset, sizeof(offset));
    }
  }
}

}  // namespace braid::kernels
