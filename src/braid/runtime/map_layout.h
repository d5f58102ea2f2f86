// How a group's map lies in memory: pixels of one group side by side, inside of a ring of zeros as
// wide as its readers' padding, so that no kernel tests for edges. Layer: runtime.
#pragma once

#include <cstdint>
#include <vector>

#include "braid/kernels/convolution/shape.h"
#include "braid/kernels/path.h"
#include "braid/model/network.h"
#include "braid/runtime/schedule.h"

namespace braid::runtime {

// Memory of something that every image of the batch has: image i at offset + i*bytes_per_image.
struct ImageMemory {
  int64_t offset = 0;           // in the arena
  int64_t bytes_per_image = 0;  // 0: absent
};

// Pixels around a map.
struct Ring {
  int top = 0, left = 0, bottom = 0, right = 0;
  bool Empty() const { return top == 0 && left == 0 && bottom == 0 && right == 0; }
};

// The ring that all layers of `schedule` which read the map of `layer` need together.
Ring RingOf(const model::Network& network, const Schedule& schedule, model::LayerIndex layer);

struct MapMemory : ImageMemory {
  kernels::Encoding encoding = kernels::Encoding::kU7;
  Ring ring;
  int rows = 0, columns = 0, channels = 0;  // without the ring
  int64_t row_bytes = 0;                    // from a row to the next
  // [channels] bytes of a pixel of the ring, where they are not the zero of the encoding
  // (Network::input_padding); then kernels must read them: a source over this map has no edges.
  std::vector<uint8_t> ring_pixel;
  int64_t PixelOffset(int y, int x) const {
    return (int64_t{ring.top} + y) * row_bytes + (int64_t{ring.left} + x) * channels;
  }
  // Bytes of a row's pixels, and of the map of one image where it is sent.
  int64_t PixelBytes() const { return int64_t{columns} * channels; }
  int64_t WireBytes() const { return PixelBytes() * rows; }
  // Alike maps can take turns in the same memory and find their ring there.
  bool SameForm(const MapMemory& other) const;
};

// What turns a pixel into the byte that a map of `encoding` holds for it, pixel - 128.
constexpr uint8_t PixelFlip(kernels::Encoding encoding) {
  return 0x80 ^ kernels::ZeroByte(encoding);
}

// The map of `group` at `layer`, at offset 0.
MapMemory MapOf(const model::Network& network, model::LayerIndex layer, int group,
                const Ring& ring, kernels::Path path);

// What a kernel reads: the window of `layer` over `map` (of its input). `first` is the offset of
// the window of output (0, 0) in an image.
struct MapWindow {
  kernels::SourceShape source;
  int64_t first = 0;
};
MapWindow WindowOf(const model::Network& network, model::LayerIndex layer, const MapMemory& map);

// What a kernel writes: `map`, or the wide values [rows, columns, PaddedChannels] of its group.
kernels::OutputShape OutputOf(const MapMemory& map);

// Bytes of the wide values of one image of `map`'s pixels.
int64_t WideBytes(const MapMemory& map);

}  // namespace braid::runtime
