// The one implementation of Plan: kernels and addresses in the arena, layer by layer.
// Layer: runtime.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "braid/kernels/convolution/convolution.h"
#include "braid/kernels/kernel_set.h"
#include "braid/runtime/execution.h"
#include "braid/runtime/map_layout.h"
#include "braid/runtime/prepared_network.h"
#include "braid/runtime/schedule.h"

namespace braid::runtime {

inline constexpr int kNoSlot = -1;

// Heads take this many images as the pixels of one row, so that weights are read once for all.
inline constexpr int kHeadImages = 8;

// A generated convolution with its memory as offsets into the arena; kAbsent where there is none.
struct PlannedConvolution {
  std::shared_ptr<const kernels::Convolution> convolution;
  std::vector<int64_t> maps;
  std::vector<const std::byte*> tiles;
  std::vector<int64_t> outputs, wide, shortcuts;
  std::vector<const int32_t*> tables;
  int32_t shortcut_clamp = 0;
  int rows = 1;
  int64_t products = 0;  // multiplications of one image
};

// One group of a kMaxPool or kSumPool.
struct PlannedPool {
  kernels::PoolShape shape;
  int64_t input = 0, output = 0;  // offsets in the arena
  ImageMemory wide;               // kSumPool
  bool one_image = true;          // `wide` holds one image only
  kernels::Epilogue epilogue;     // kSumPool
};

// One channel group of a convolution that runs as KernelSet::filter_sums and requantize.
struct PlannedFilters {
  kernels::FilterShape shape;
  int rows = 1;
  int64_t input = 0, output = 0;  // offsets in the arena
  const int8_t* weights = nullptr;
  ImageMemory wide;
  bool one_image = true;  // `wide` holds one image only
  ImageMemory shortcut;   // absent where there is none
  kernels::Epilogue epilogue;
  int64_t products = 0;   // multiplications of one image
};

// The finished map of one group computed here.
struct PlannedMap {
  int group = 0;
  MapMemory memory;
};

struct PlannedLayer {
  model::LayerIndex layer = model::kNoLayer;
  model::Op op = model::Op::kInput;
  // kConv: from own maps, then (where it awaits) from those of peers with the epilogue.
  // kLinear: [0] over blocks of kHeadImages where the batch can be so large, then single images.
  // One that answers with a map: over rows, as kConv.
  std::vector<PlannedConvolution> own, peers;
  std::vector<PlannedFilters> filters;  // kConv with filter_channels: in place of `own`
  std::vector<PlannedPool> pools;
  std::vector<PlannedMap> maps;  // what the layer leaves; none for heads
  std::vector<int> awaits;    // the exchanges whose maps `peers` reads
  bool exchanged = false;     // its own map must be sent
  bool is_exit = false;
  int classes = 0;                   // heads
  int64_t positions = 1;             // heads: where they answer, 1 without a window
  ImageMemory sums;                  // heads: [n, positions, PaddedChannels(classes)] s32
  ImageMemory logits;                // heads: [n, positions, classes] s32
  std::vector<ImageMemory> survive;  // exits: memory that later layers read, per image
};

// One layer whose maps cross the wire. Vectors are [groups of the network].
struct ExchangeSlot {
  model::LayerIndex layer = model::kNoLayer;
  ElementKind kind = ElementKind::kU7;
  std::vector<MapMemory> maps;    // set for the groups of the sub-network
  std::vector<ImageMemory> wire;  // own maps as they are sent, [n,H,W,C_group] u7 or s8
};

// Memory that is set once, when an execution is made: rings of biased maps, and of the image where
// its padding is not 0.
struct RingFill {
  int64_t offset = 0, bytes = 0;
  std::vector<uint8_t> pixel;  // again and again
};

class ExecutionPlan final : public Plan {
 public:
  const PlanSpec& spec() const override { return spec_; }
  int64_t arena_bytes() const override { return arena_bytes_; }
  std::span<const model::LayerIndex> exchanges() const override { return exchanges_; }
  int64_t MapBytes(model::LayerIndex layer, int group) const override;
  int64_t logits_per_image() const override;

  const PreparedNetwork& model() const { return model_; }
  std::span<const PlannedLayer> layers() const { return layers_; }
  const ExchangeSlot& slot(int index) const { return slots_[static_cast<size_t>(index)]; }
  // kNoSlot where the layer is not exchanged.
  int SlotOf(model::LayerIndex layer) const;
  const MapMemory& input() const { return input_; }
  std::span<const RingFill> rings() const { return rings_; }

 private:
  friend class PlanBuilder;
  explicit ExecutionPlan(const PreparedNetwork& model, const PlanSpec& spec)
      : model_(model), spec_(spec) {}

  const PreparedNetwork& model_;
  PlanSpec spec_;
  std::vector<PlannedLayer> layers_;  // without kInput
  std::vector<ExchangeSlot> slots_;
  std::vector<model::LayerIndex> exchanges_;
  std::vector<std::vector<int32_t>> tables_;  // what epilogues point to
  std::vector<RingFill> rings_;
  MapMemory input_;
  int64_t arena_bytes_ = 0;
};

}  // namespace braid::runtime
