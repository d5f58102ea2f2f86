// The one implementation of Plan: kernel calls and addresses in the arena, layer by layer.
// Layer: runtime.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "braid/kernels/kernel_set.h"
#include "braid/runtime/execution.h"
#include "braid/runtime/prepared_network.h"
#include "braid/runtime/schedule.h"

namespace braid::runtime {

inline constexpr int kNoSlot = -1;

// Memory of something that every image of the batch has: image i at offset + i*bytes_per_image.
struct ImageMemory {
  int64_t offset = 0;  // in the arena
  int64_t bytes_per_image = 0;
};

// One output group of a layer (the only one of a head).
struct PlannedTarget {
  int group = 0;
  int channels = 0;
  ImageMemory accumulators;  // of one block of images
  ImageMemory map;           // u7 or s8; unused by heads
  ImageMemory shortcut;      // the wide values to add, where the epilogue has a shortcut
  kernels::Epilogue epilogue;
};

// One input group of a layer.
struct PlannedSource {
  int group = 0;
  bool remote = false;
  // Starts the accumulators of its targets (the first source that they have), or adds to them.
  bool add = false;
  kernels::WindowGeometry geometry;
  ImageMemory map;
  // Targets [first_target, first_target + tiles.size()); pools have one and a null tile.
  size_t first_target = 0;
  std::vector<const std::byte*> tiles;
};

struct PlannedLayer {
  model::LayerIndex layer = model::kNoLayer;
  model::Op op = model::Op::kInput;
  std::vector<PlannedSource> sources;  // own groups first, then those of peers
  std::vector<PlannedTarget> targets;
  // Accumulators hold this many images. Small blocks stay in the cache; the whole batch where
  // accumulators outlive the block (shortcuts, sums that wait for peers).
  int images_per_block = 1;
  int64_t pixels_per_image = 0;
  int awaits_slot = kNoSlot;  // the exchange whose maps remote sources read
  bool exchanged = false;     // its own map must be sent
  bool is_exit = false;
  ImageMemory logits;                // heads: [n, classes] s32
  std::vector<ImageMemory> survive;  // exits: memory that later layers read, per image
};

// One layer whose maps cross the wire.
struct ExchangeSlot {
  model::LayerIndex layer = model::kNoLayer;
  ElementKind kind = ElementKind::kU7;
  std::vector<ImageMemory> maps;  // [groups]; set for the groups of the sub-network
};

class ExecutionPlan final : public Plan {
 public:
  const PlanSpec& spec() const override { return spec_; }
  int64_t arena_bytes() const override { return arena_bytes_; }
  std::span<const model::LayerIndex> exchanges() const override { return exchanges_; }
  int64_t MapBytes(model::LayerIndex layer, int group) const override;
  int classes() const override;

  const PreparedNetwork& model() const { return model_; }
  std::span<const PlannedLayer> layers() const { return layers_; }
  const ExchangeSlot& slot(int index) const { return slots_[static_cast<size_t>(index)]; }
  // kNoSlot where the layer is not exchanged.
  int SlotOf(model::LayerIndex layer) const;
  const ImageMemory& input() const { return input_; }
  int64_t scratch_offset() const { return scratch_offset_; }

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
  ImageMemory input_;
  int64_t scratch_offset_ = 0;
  int64_t arena_bytes_ = 0;
};

}  // namespace braid::runtime
