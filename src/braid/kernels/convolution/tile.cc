#include "braid/kernels/convolution/tile.h"

#include <cstring>

#include "braid/kernels/convolution/convolution.h"
#include "braid/kernels/generated/generator.h"

namespace braid::kernels {

namespace {

// nullptr where the scalar interpreter reads the tile.
const generated::Generator* GeneratorOf(Path path, const SourceShape& source) {
  return source.depthwise && !GeneratesDepthwise(path) ? nullptr : generated::GeneratorFor(path);
}

// Products of one output pixel and channel.
size_t Depth(const SourceShape& source) {
  return static_cast<size_t>(source.kernel_h) * static_cast<size_t>(source.kernel_w) *
         static_cast<size_t>(source.depthwise ? 1 : source.channels);
}

// Byte of a panel's weights, of lane 0, where the `i`th weight of a channel goes (OHWI).
size_t PlaceOf(const SourceShape& source, const Runs& runs, size_t lanes, size_t i) {
  size_t step = 0, byte = 0;
  if (source.depthwise) {
    const auto width = static_cast<size_t>(source.kernel_w);
    const size_t ky = i / width;
    step = ky / kDepthwiseRows * width + i % width;
    byte = ky % kDepthwiseRows;
  } else {
    const auto run_bytes = static_cast<size_t>(runs.bytes);
    const size_t in_run = i % run_bytes;
    step = i / run_bytes * static_cast<size_t>(runs.steps()) + in_run / 4;
    byte = in_run % 4;
  }
  return step * lanes * 4 + byte;
}

}  // namespace

Runs RunsOf(const SourceShape& source) {
  if (source.depthwise) {
    return {(source.kernel_h + kDepthwiseRows - 1) / kDepthwiseRows, source.kernel_w, 4};
  }
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
  const generated::Generator* generator = GeneratorOf(path, source);
  if (generator == nullptr) return Depth(source) * static_cast<size_t>(out_channels);
  const int lanes = generator->Lanes(out_channels);
  return static_cast<size_t>((out_channels + lanes - 1) / lanes) * PanelBytes(source, lanes);
}

void PackTile(Path path, const SourceShape& source, int out_channels, const int8_t* weights,
              std::byte* tile) {
  std::memset(tile, 0, TileBytes(path, source, out_channels));
  const generated::Generator* generator = GeneratorOf(path, source);
  if (generator == nullptr) {
    std::memcpy(tile, weights, TileBytes(path, source, out_channels));
    return;
  }
  const auto lanes = static_cast<size_t>(generator->Lanes(out_channels));
  const size_t panel_bytes = PanelBytes(source, static_cast<int>(lanes));
  const size_t offset_bytes = PanelOffsetBytes(source, static_cast<int>(lanes));
  const Runs runs = RunsOf(source);
  for (size_t o = 0; o < static_cast<size_t>(out_channels); ++o) {
    const size_t lane = o % lanes;
    std::byte* panel = tile + o / lanes * panel_bytes;
    uint32_t sum = 0;
    for (size_t i = 0; i < Depth(source); ++i) {
      const int8_t weight = *weights++;
      sum += static_cast<uint32_t>(int32_t{weight});
      panel[offset_bytes + PlaceOf(source, runs, lanes, i) + lane * 4] =
          static_cast<std::byte>(weight);
    }
    if (offset_bytes != 0) {
      const uint32_t offset = 0u - 128u * sum;
      std::memcpy(panel + lane * sizeof(offset), &offset, sizeof(offset));
    }
  }
}

}  // namespace braid::kernels
