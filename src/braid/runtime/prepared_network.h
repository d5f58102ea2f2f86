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

  // Packed weights from `in_group` to `out_group` of a kConv or kLinear; group 0 stands for the
  // whole of a map that is not divided. nullptr where this device carries no such tile.
  const std::byte* Tile(model::LayerIndex layer, int out_group, int in_group) const;

 private:
  static constexpr int64_t kAbsent = -1;

  size_t TileIndex(model::LayerIndex layer, int out_group, int in_group) const;
  // Calls `visit(layer, out_group, in_group)` for every tile that the share needs.
  template <typename Visit>
  void ForEachTile(Visit visit) const;
  void Pack(model::LayerIndex layer, int out_group, int in_group);
  // What decides the layout of a tile; strides that do not are left out.
  kernels::SourceShape TileSource(model::LayerIndex layer, int in_group) const;

  const model::Network& network_;
  const GroupSet share_;
  const kernels::KernelSet& kernels_;
  std::vector<int64_t> tile_offsets_;  // [layers, groups, groups], kAbsent or into weights_
  int64_t weight_bytes_ = 0;
  AlignedBuffer weights_;
  ThreadOptions threads_;  // count is that of the pool
  std::unique_ptr<ThreadPool> pool_;  // nullptr for one thread
};

}  // namespace braid::runtime
