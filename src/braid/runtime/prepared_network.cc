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

size_t PreparedNetwork::TileIndex(LayerIndex layer, int out_group, int block) const {
  const auto at = static_cast<size_t>(layer);
  return first_tile_[at] + static_cast<size_t>(out_group) * blocks_[at] +
         static_cast<size_t>(block);
}

// The most blocks that an output group of `layer` has.
static size_t BlocksOf(const model::Network& network, const Layer& layer, kernels::Path path) {
  if (layer.op != Op::kConv && layer.op != Op::kLinear) return 0;
  if (RunsAsFilterSums(network, layer, path) || RunsAsDepthwise(network, layer, path)) return 1;
  if (layer.filter_channels == 0) return model::InputBlocksOf(network, layer).size();
  int most = 0;
  for (int group = 0; group < network.groups; ++group) {
    most = std::max(most, model::FilterBlocksOf(network, layer, group).count);
  }
  return static_cast<size_t>(most);
}

template <typename Visit>
void PreparedNetwork::ForEachTile(Visit visit) const {
  for (LayerIndex i = 0; i < static_cast<LayerIndex>(network_.layers.size()); ++i) {
    const Layer& layer = LayerAt(network_, i);
    if (layer.op != Op::kConv && layer.op != Op::kLinear) continue;
    if (layer.filter_channels > 0) {
      ForEachFilterTile(i, visit);
      continue;
    }
    const std::vector<model::InputBlock> blocks = model::InputBlocksOf(network_, layer);
    for (size_t b = 0; b < blocks.size(); ++b) {
      const model::InputBlock& block = blocks[b];
      TileSpec tile{.layer = i,
                    .block = static_cast<int>(b),
                    .first_input = block.first_channel,
                    .source = SourceOf(i, block.map, block.channels)};
      if (layer.op == Op::kLinear) {
        // A device sums over its own groups only: the peers send partial sums (docs/adr/0002).
        tile.outputs = layer.Channels();
        if (share_.Contains(block.group)) visit(tile);
        continue;
      }
      for (const int group : share_) {
        tile.out_group = group;
        tile.first_output = layer.GroupOffset(group);
        tile.outputs = GroupChannels(layer, group);
        if (model::Reads(layer, group, block)) visit(tile);
      }
    }
  }
}

template <typename Visit>
void PreparedNetwork::ForEachFilterTile(LayerIndex i, Visit visit) const {
  const Layer& layer = LayerAt(network_, i);
  const bool sums = RunsAsFilterSums(network_, layer, path());
  const bool depthwise = RunsAsDepthwise(network_, layer, path());
  for (const int group : share_) {
    TileSpec tile{.layer = i,
                  .out_group = group,
                  .first_output = layer.GroupOffset(group),
                  .outputs = GroupChannels(layer, group),
                  .source = SourceOf(i, layer.input, layer.filter_channels),
                  .filters = sums};
    if (depthwise) {
      tile.source.channels = tile.outputs;
      tile.source.depthwise = true;
    }
    if (sums || depthwise) {
      visit(tile);
      continue;
    }
    const model::FilterBlocks blocks = model::FilterBlocksOf(network_, layer, group);
    tile.source.tap_stride_w = GroupChannels(LayerAt(network_, layer.input), group);
    tile.outputs = blocks.outputs;
    for (; tile.block < blocks.count; ++tile.block) {
      visit(tile);
      tile.first_output += blocks.outputs;
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
  size_t tiles = 0;
  for (const Layer& layer : network.layers) {
    first_tile_.push_back(tiles);
    blocks_.push_back(BlocksOf(network, layer, path()));
    tiles += blocks_.back() * layer.group_channels.size();
  }
  tile_offsets_.assign(tiles, kAbsent);
  ForEachTile([this](const TileSpec& tile) {
    tile_offsets_[TileIndex(tile.layer, tile.out_group, tile.block)] = weight_bytes_;
    weight_bytes_ += AlignUp(TileBytes(tile));
  });
  weights_ = AlignedBuffer(weight_bytes_);
  if (weights_.data() == nullptr) throw std::bad_alloc();
  ForEachTile([this](const TileSpec& tile) { Pack(tile); });
}

kernels::SourceShape PreparedNetwork::SourceOf(LayerIndex index, LayerIndex map_index,
                                               int channels) const {
  const Layer& map = LayerAt(network_, map_index);
  const model::Window window = model::WindowOf(network_, LayerAt(network_, index));
  return {.encoding = kernels::EncodingFor(path(), model::MapKind(map.op, map.activation)),
          .channels = channels,
          .kernel_h = window.kernel_h,
          .kernel_w = window.kernel_w,
          .tap_stride_w = channels};
}

int64_t PreparedNetwork::TileBytes(const TileSpec& tile) const {
  if (!tile.filters) {
    return static_cast<int64_t>(kernels::TileBytes(path(), tile.source, tile.outputs));
  }
  return int64_t{tile.source.kernel_h} * tile.source.kernel_w * tile.source.channels * tile.outputs;
}

// Cuts the tile's block out of the layer's OHWI weights and packs it.
void PreparedNetwork::Pack(const TileSpec& tile) {
  const Layer& layer = LayerAt(network_, tile.layer);
  const int64_t positions = int64_t{tile.source.kernel_h} * tile.source.kernel_w;
  const int64_t row = model::WeightExtentsOf(network_, layer).inputs;
  const int64_t channels = tile.source.depthwise ? 1 : tile.source.channels;
  std::vector<int8_t> block(static_cast<size_t>(tile.outputs * positions * channels));
  auto to = block.begin();
  for (int64_t p = 0; p < tile.outputs * positions; ++p) {
    const int8_t* from = layer.weights.data() +
                         (tile.first_output * positions + p) * row + tile.first_input;
    to = std::copy_n(from, channels, to);
  }
  std::byte* packed =
      weights_.data() + tile_offsets_[TileIndex(tile.layer, tile.out_group, tile.block)];
  if (!tile.filters) {
    kernels::PackTile(path(), tile.source, tile.outputs, block.data(), packed);
    return;
  }
  // [outputs, taps x channels] to [taps x channels, outputs].
  const int64_t depth = positions * channels;
  for (int64_t o = 0; o < tile.outputs; ++o) {
    for (int64_t d = 0; d < depth; ++d) {
      packed[d * tile.outputs + o] =
          static_cast<std::byte>(block[static_cast<size_t>(o * depth + d)]);
    }
  }
}

const std::byte* PreparedNetwork::Tile(LayerIndex layer, int out_group, int block) const {
  const int64_t offset = tile_offsets_[TileIndex(layer, out_group, block)];
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
