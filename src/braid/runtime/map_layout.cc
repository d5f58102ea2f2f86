#include "braid/runtime/map_layout.h"

#include <algorithm>

#include "braid/kernels/geometry.h"
#include "braid/model/layer_map.h"
#include "braid/runtime/layer_geometry.h"

namespace braid::runtime {

using model::Layer;
using model::LayerIndex;
using model::Op;

Ring RingOf(const model::Network& network, const Schedule& schedule, LayerIndex index) {
  const Layer& map = LayerAt(network, index);
  Ring ring;
  for (const LayerIndex i : schedule.order) {
    const Layer& reader = LayerAt(network, i);
    const std::vector<LayerIndex>& more = reader.more_inputs;
    if (reader.input != index && std::find(more.begin(), more.end(), index) == more.end()) continue;
    const model::Window w = model::WindowOf(network, reader);
    const auto beyond = [](int out, int stride, int kernel, int pad, int in) {
      return std::max(0, (out - 1) * stride + kernel - pad - in);
    };
    ring.top = std::max(ring.top, w.pad_top);
    ring.left = std::max(ring.left, w.pad_left);
    ring.bottom = std::max(
        ring.bottom, beyond(reader.out_h, w.stride_h, w.kernel_h, w.pad_top, map.out_h));
    ring.right = std::max(
        ring.right, beyond(reader.out_w, w.stride_w, w.kernel_w, w.pad_left, map.out_w));
  }
  return ring;
}

bool MapMemory::SameForm(const MapMemory& other) const {
  return bytes_per_image == other.bytes_per_image && encoding == other.encoding &&
         ring.top == other.ring.top && ring.left == other.ring.left &&
         ring.bottom == other.ring.bottom && ring.right == other.ring.right &&
         rows == other.rows && columns == other.columns && channels == other.channels &&
         ring_pixel == other.ring_pixel;
}

MapMemory MapOf(const model::Network& network, LayerIndex index, int group, const Ring& ring,
                kernels::Path path) {
  const Layer& layer = LayerAt(network, index);
  MapMemory map;
  map.encoding = kernels::EncodingFor(path, model::MapKind(layer.op, layer.activation));
  map.ring = ring;
  map.rows = layer.out_h;
  map.columns = layer.out_w;
  map.channels = GroupChannels(layer, group);
  if (index == 0) {
    for (const uint8_t pixel : network.input_padding) {
      map.ring_pixel.push_back(pixel ^ PixelFlip(map.encoding));
    }
  }
  map.row_bytes = (int64_t{ring.left} + layer.out_w + ring.right) * map.channels;
  map.bytes_per_image = (int64_t{ring.top} + layer.out_h + ring.bottom) * map.row_bytes;
  return map;
}

namespace {

// Where the map lies behind the window of output (0, 0), if any window leaves it.
kernels::Edges EdgesOf(const kernels::WindowGeometry& g, const MapMemory& map) {
  const auto beyond = [](int out, int stride, int kernel, int pad, int in) {
    return pad > 0 || (out - 1) * stride + kernel - pad > in;
  };
  kernels::Edges edges;
  if (beyond(g.out_h, g.stride_h, g.kernel_h, g.pad_top, map.rows)) {
    edges.top = g.pad_top * map.row_bytes;
    edges.bottom = edges.top + map.rows * map.row_bytes;
  }
  if (beyond(g.out_w, g.stride_w, g.kernel_w, g.pad_left, map.columns)) {
    edges.left = int64_t{g.pad_left} * map.channels;
    edges.right = edges.left + map.PixelBytes();
  }
  return edges;
}

}  // namespace

MapWindow WindowOf(const model::Network& network, LayerIndex index, const MapMemory& map) {
  const kernels::WindowGeometry g = GeometryOf(network, index, map.channels);
  MapWindow window;
  window.source = {.encoding = map.encoding,
                   .channels = map.channels,
                   .kernel_h = g.kernel_h,
                   .kernel_w = g.kernel_w,
                   .tap_stride_w = map.channels,
                   .tap_stride_h = map.row_bytes,
                   .column_stride = int64_t{g.stride_w} * map.channels,
                   .row_stride = g.stride_h * map.row_bytes,
                   .image_stride = map.bytes_per_image};
  if (map.ring_pixel.empty()) window.source.edges = EdgesOf(g, map);
  window.first = map.PixelOffset(-g.pad_top, -g.pad_left);
  return window;
}

kernels::OutputShape OutputOf(const MapMemory& map) {
  const int64_t wide = kernels::PaddedChannels(map.channels);
  return {.channels = map.channels,
          .column_stride = map.channels,
          .row_stride = map.row_bytes,
          .image_stride = map.bytes_per_image,
          .wide_column_stride = wide,
          .wide_row_stride = wide * map.columns,
          .wide_image_stride = wide * map.columns * map.rows};
}

int64_t WideBytes(const MapMemory& map) {
  return int64_t{map.rows} * map.columns * kernels::PaddedChannels(map.channels) *
         static_cast<int64_t>(sizeof(int32_t));
}

}  // namespace braid::runtime
