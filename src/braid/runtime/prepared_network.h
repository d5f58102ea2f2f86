// The one implementation of PreparedModel: tiles of packed weights. Layer: runtime.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "braid/kernels/convolution/shape.h"
#include "braid/kernels/kernel_set.h"
#include "braid/runtime/aligned_buffer.h"
#include "braid/runtime/execution.h"

namespace braid::runtime {

class PreparedNetwork final : public PreparedModel {
 public:
  // See PreparedModel::Prepare. May throw std::bad_alloc, which Prepare turns into an error.
  PreparedNetwork(const model::Network& network, GroupSet share, const kernels::KernelSet& kernels);

  const model::Network& network() const override { return network_; }
  GroupSet share() const override { return share_; }
  kernels::Path path() const override { return kernels_.path; }
  int64_t weight_bytes() const override { return weight_bytes_; }

  const kernels::KernelSet& kernels() const { return kernels_; }

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
};

}  // namespace braid::runtime
