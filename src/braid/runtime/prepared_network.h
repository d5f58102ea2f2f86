// The one implementation of PreparedModel: tiles of packed weights. Layer: runtime.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "braid/kernels/convolution/shape.h"
#include "braid/kernels/kernel_set.h"
#include "braid/runtime/aligned_buffer.h"
#include "braid/runtime/execution.h"
#include "braid/runtime/thread_pool.h"

namespace braid::runtime {

class PreparedNetwork final : public PreparedModel {
 public:
  // See PreparedModel::Prepare. May throw std::bad_alloc, which Prepare turns into an error.
  PreparedNetwork(const model::Network& network, GroupSet share, const kernels::KernelSet& kernels,
                  const ThreadOptions& threads);

  const model::Network& network() const override { return network_; }
  GroupSet share() const override { return share_; }
  kernels::Path path() const override { return kernels_.path; }
  int64_t weight_bytes() const override { return weight_bytes_; }

  const kernels::KernelSet& kernels() const { return kernels_; }

  // Calls function(part, parts), part in [0, parts), for work of `products` multiplications that
  // may be cut into `most` parts at most; at the same time where that pays.
  template <typename Function>
  void Divide(int64_t products, int64_t most, const Function& function) const {
    const int64_t pays = products / threads_.products_per_part;
    const auto parts = static_cast<int>(std::min({int64_t{threads_.count}, pays, most}));
    if (parts <= 1) {
      function(0, 1);
    } else {
      pool_->Run(parts, [&](int part) { function(part, parts); });
    }
  }

  // Packed weights to `out_group` (0 for a kLinear) of a kConv or kLinear from block `block` of its
  // input channels: an InputBlock, or a filter block where the layer has filter_channels and
  // RunsAsFilterSums does not hold; one block in all where RunsAsDepthwise does. nullptr where this device carries no such tile.
  const std::byte* Tile(model::LayerIndex layer, int out_group, int block) const;
  // Of a layer that RunsAsFilterSums: KernelSet::filter_sums' weights of one channel group.
  const int8_t* FilterWeights(model::LayerIndex layer, int group) const {
    return reinterpret_cast<const int8_t*>(Tile(layer, group, 0));
  }

 private:
  static constexpr int64_t kAbsent = -1;

  // A tile's place and content: weights [outputs, kernel_h, kernel_w, channels] of the layer's OHWI
  // ones.
  struct TileSpec {
    model::LayerIndex layer = model::kNoLayer;
    int out_group = 0, block = 0;
    int first_output = 0, outputs = 0;
    int first_input = 0;  // of the stored input channels
    kernels::SourceShape source;  // what decides the layout of a tile; other strides are left out
    bool filters = false;         // for filter_sums
  };
  size_t TileIndex(model::LayerIndex layer, int out_group, int block) const;
  // Calls `visit(tile)` for every tile that the share needs.
  template <typename Visit>
  void ForEachTile(Visit visit) const;
  template <typename Visit>
  void ForEachFilterTile(model::LayerIndex layer, Visit visit) const;
  int64_t TileBytes(const TileSpec& tile) const;
  void Pack(const TileSpec& tile);
  kernels::SourceShape SourceOf(model::LayerIndex layer, model::LayerIndex map, int channels) const;

  const model::Network& network_;
  const GroupSet share_;
  const kernels::KernelSet& kernels_;
  std::vector<size_t> first_tile_;     // [layers] into tile_offsets_
  std::vector<size_t> blocks_;         // [layers] tiles of an output group
  std::vector<int64_t> tile_offsets_;  // [tiles], kAbsent or into weights_
  int64_t weight_bytes_ = 0;
  AlignedBuffer weights_;
  ThreadOptions threads_;  // count is that of the pool
  std::unique_ptr<ThreadPool> pool_;  // nullptr for one thread
};

}  // namespace braid::runtime
