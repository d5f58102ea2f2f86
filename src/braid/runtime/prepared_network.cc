#include "braid/runtime/prepared_network.h"

#include <algorithm>
#include <new>

#include "braid/kernels/convolution/convolution.h"
#include "braid/model/layer_map.h"
#include "braid/runtime/layer_geometry.h"

namespace braid::runtime {

using model::Layer;
using model::LayerIndex;
using model::Op;

namespace {

constexpr int kMaxThreads = 1024;

}  // namespace

size_t PreparedNetwork::TileIndex(LayerIndex layer, int out_group, int in_group) const {
  const auto groups = static_cast<size_t>(network_.groups);
  return (static_cast<size_t>(layer) * groups + static_cast<size_t>(out_group)) * groups +
         static_cast<size_t>(in_group);
}

template <typename Visit>
void PreparedNetwork::ForEachTile(Visit visit) const {
  for (LayerIndex i = 0; i < static_cast<LayerIndex>(network_.layers.size()); ++i) {
    const Layer& layer = LayerAt(network_, i);
    if (layer.op == Op::kLinear) {
      // A device sums over its own groups only: the peers send partial sums (docs/adr/0002).
      for (const int in_group : share_) visit(i, 0, in_group);
      continue;
    }
    if (layer.op != Op::kConv) continue;
    const bool divided_input = LayerAt(network_, layer.input).Divided();
    for (const int out_group : share_) {
      if (!divided_input) {
        visit(i, out_group, 0);
      } else if (!layer.dense) {
        visit(i, out_group, out_group);
      } else {
        for (int in_group = 0; in_group < network_.groups; ++in_group)
          visit(i, out_group, in_group);
      }
    }
  }
}

PreparedNetwork::PreparedNetwork(const model::Network& network, GroupSet share,
                                 const kernels::KernelSet& kernels, const ThreadOptions& threads)
    : network_(network), share_(share), kernels_(kernels), threads_(threads) {
  if (threads_.count == 0) threads_.count = UsableProcessors();
  if (threads_.count > 1) {
    pool_ = std::make_unique<ThreadPool>(threads_.count);
    threads_.count = pool_->threads();
  }
  const auto groups = static_cast<size_t>(network.groups);
  tile_offsets_.assign(network.layers.size() * groups * groups, kAbsent);
  ForEachTile([this](LayerIndex layer, int out_group, int in_group) {
    tile_offsets_[TileIndex(layer, out_group, in_group)] = weight_bytes_;
    weight_bytes_ += AlignUp(static_cast<int64_t>(
        kernels::TileBytes(path(), TileSource(layer, in_group),
                           GroupChannels(LayerAt(network_, layer), out_group))));
  });
  weights_ = AlignedBuffer(weight_bytes_);
  if (weights_.data() == nullptr) throw std::bad_alloc();
  ForEachTile(
      [this](LayerIndex layer, int out_group, int in_group) { Pack(layer, out_group, in_group); });
}

kernels::SourceShape PreparedNetwork::TileSource(LayerIndex layer, int in_group) const {
  const Layer& input = LayerAt(network_, LayerAt(network_, layer).input);
  const int channels = GroupChannels(input, in_group);
  const kernels::WindowGeometry g = GeometryOf(network_, layer, channels);
  return {.encoding = kernels::EncodingFor(path(), g.input_kind),
          .channels = channels,
          .kernel_h = g.kernel_h,
          .kernel_w = g.kernel_w,
          .tap_stride_w = channels};
}

// Cuts the block [output channels of out_group, kernel_h, kernel_w, channels of in_group] out of
// the layer's OHWI weights and packs it.
void PreparedNetwork::Pack(LayerIndex index, int out_group, int in_group) {
  const Layer& layer = LayerAt(network_, index);
  const Layer& input = LayerAt(network_, layer.input);
  const kernels::WindowGeometry geometry = GeometryOf(network_, index, GroupChannels(input, in_group));
  const int outputs = GroupChannels(layer, out_group);
  const int64_t first_output = layer.Divided() ? layer.GroupOffset(out_group) : 0;
  const int64_t first_input = input.Divided() ? input.GroupOffset(in_group) : 0;
  const int64_t positions = int64_t{geometry.kernel_h} * geometry.kernel_w;
  const int64_t row = input.Channels();

  std::vector<int8_t> block(static_cast<size_t>(outputs * geometry.Depth()));
  auto to = block.begin();
  for (int64_t p = 0; p < outputs * positions; ++p) {
    const int8_t* from = layer.weights.data() + (first_output * positions + p) * row + first_input;
    to = std::copy_n(from, geometry.channels, to);
  }
  kernels::PackTile(path(), TileSource(index, in_group), outputs, block.data(),
                    weights_.data() + tile_offsets_[TileIndex(index, out_group, in_group)]);
}

const std::byte* PreparedNetwork::Tile(LayerIndex layer, int out_group, int in_group) const {
  const int64_t offset = tile_offsets_[TileIndex(layer, out_group, in_group)];
  return offset == kAbsent ? nullptr : weights_.data() + offset;
}

Result<std::unique_ptr<PreparedModel>> PreparedModel::Prepare(const model::Network& network,
                                                              GroupSet share, kernels::Path path,
                                                              const ThreadOptions& threads) {
  if (threads.count < 0 || threads.count > kMaxThreads || threads.products_per_part < 1) {
    return InvalidArgument("threads: expected 0.." + std::to_string(kMaxThreads));
  }
  if (share.empty() || !GroupSet::First(network.groups).ContainsAll(share)) {
    return InvalidArgument("share: expected some of the network's channel groups");
  }
  if (!kernels::PathSupported(path)) {
    return FailedPrecondition("path " + std::string(kernels::PathName(path)) +
                              ": this processor cannot run it");
  }
  try {
    return std::unique_ptr<PreparedModel>(
        std::make_unique<PreparedNetwork>(network, share, kernels::KernelsFor(path), threads));
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("share: no memory for its packed weights");
  }
}

}  // namespace braid::runtime
