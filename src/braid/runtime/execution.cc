// Runs a plan over its arena. Layer: runtime. Nothing here allocates after Create.
#include "braid/runtime/execution.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <string>

#include "braid/base/check.h"
#include "braid/kernels/range.h"
#include "braid/runtime/aligned_buffer.h"
#include "braid/runtime/execution_plan.h"

namespace braid::runtime {
namespace {

using kernels::ConvTarget;
using model::Op;

class PlanExecution final : public Execution {
 public:
  PlanExecution(const ExecutionPlan& plan, AlignedBuffer arena)
      : plan_(plan),
        kernels_(plan.model().kernels()),
        arena_(std::move(arena)),
        supplied_(plan.exchanges().size()) {}

  Status Start(std::span<const uint8_t> pixels, int n) override;
  Step Resume() override;
  model::LayerIndex exchange_layer() const override;
  std::span<const uint8_t> LocalMap(int group) const override;
  GroupSet Missing() const override;
  Status Supply(model::LayerIndex layer, int group, std::span<const uint8_t> map) override;
  void Retain(std::span<const int> keep) override;
  int batch() const override { return batch_; }
  std::span<const int32_t> Logits() const override { return logits_; }

 private:
  enum class State : uint8_t { kIdle, kRunning, kAtCheckpoint, kFinished };

  template <typename T = uint8_t>
  T* At(const ImageMemory& memory, int image = 0) const {
    return reinterpret_cast<T*>(arena_.data() + memory.offset + image * memory.bytes_per_image);
  }

  GroupSet MissingAt(int slot) const {
    return plan_.spec().groups - plan_.spec().local - supplied_[static_cast<size_t>(slot)];
  }

  // False: waits for maps of peers.
  bool RunLayer(const PlannedLayer& layer);
  bool RunAsMapsArrive(const PlannedLayer& layer);
  // Adds one source's part to the accumulators of images [first, first + count).
  void Accumulate(const PlannedLayer& layer, const PlannedSource& source, int first, int count);
  // From complete accumulators to maps or logits.
  void Finish(const PlannedLayer& layer, int first, int count);
  void MaxPool(const PlannedLayer& layer);
  void StoreLogits(const PlannedLayer& layer, int first, int count);

  const ExecutionPlan& plan_;
  const kernels::KernelSet& kernels_;
  const AlignedBuffer arena_;

  State state_ = State::kIdle;
  int batch_ = 0;
  size_t cursor_ = 0;     // the layer that runs next or is under way
  GroupSet accumulated_;  // sources of that layer that are in its accumulators
  int exchange_slot_ = kNoSlot;
  std::vector<GroupSet> supplied_;  // [exchanges]
  std::span<const int32_t> logits_;
};

Status PlanExecution::Start(std::span<const uint8_t> pixels, int n) {
  state_ = State::kIdle;
  const int64_t bytes_per_image = plan_.input().bytes_per_image;
  if (n < 1 || n > plan_.spec().max_batch) {
    return InvalidArgument("batch: " + std::to_string(n) + ", expected 1.." +
                           std::to_string(plan_.spec().max_batch));
  }
  if (static_cast<int64_t>(pixels.size()) != n * bytes_per_image) {
    return InvalidArgument("pixels: " + std::to_string(pixels.size()) + " bytes, expected " +
                           std::to_string(n * bytes_per_image));
  }
  // pixel - 128 as a signed byte is the pixel with its top bit turned.
  uint8_t* input = At(plan_.input());
  std::transform(pixels.begin(), pixels.end(), input,
                 [](uint8_t pixel) { return static_cast<uint8_t>(pixel ^ 0x80); });
  batch_ = n;
  cursor_ = 0;
  accumulated_ = GroupSet();
  exchange_slot_ = kNoSlot;
  std::fill(supplied_.begin(), supplied_.end(), GroupSet());
  logits_ = {};
  state_ = State::kRunning;
  return OkStatus();
}

Step PlanExecution::Resume() {
  BRAID_CHECK(state_ == State::kRunning || state_ == State::kAtCheckpoint)
      << "Resume without a run";
  state_ = State::kRunning;
  const auto layers = plan_.layers();
  // With every image gone there is no work left, also not at later exits.
  if (batch_ == 0) {
    logits_ = {};
    cursor_ = layers.size();
  }
  while (cursor_ < layers.size()) {
    const PlannedLayer& layer = layers[cursor_];
    if (!RunLayer(layer)) {
      exchange_slot_ = layer.awaits_slot;
      return Step::kExchangeAwaited;
    }
    ++cursor_;
    accumulated_ = GroupSet();
    if (layer.exchanged) {
      exchange_slot_ = plan_.SlotOf(layer.layer);
      return Step::kExchangeReady;
    }
    if (layer.is_exit) {
      state_ = State::kAtCheckpoint;
      return Step::kCheckpoint;
    }
  }
  state_ = State::kFinished;
  return Step::kDone;
}

bool PlanExecution::RunLayer(const PlannedLayer& layer) {
  if (layer.op == Op::kMaxPool) {
    MaxPool(layer);
    return true;
  }
  if (layer.awaits_slot != kNoSlot) return RunAsMapsArrive(layer);
  for (int first = 0; first < batch_; first += layer.images_per_block) {
    const int count = std::min(layer.images_per_block, batch_ - first);
    for (const PlannedSource& source : layer.sources) Accumulate(layer, source, first, count);
    Finish(layer, first, count);
  }
  return true;
}

// Takes every map that is there, in any order: s32 addition is associative.
bool PlanExecution::RunAsMapsArrive(const PlannedLayer& layer) {
  for (const PlannedSource& source : layer.sources) {
    if (accumulated_.Contains(source.group)) continue;
    if (source.remote && MissingAt(layer.awaits_slot).Contains(source.group)) continue;
    Accumulate(layer, source, 0, batch_);
    accumulated_ = accumulated_.With(source.group);
  }
  if (!MissingAt(layer.awaits_slot).empty()) return false;
  Finish(layer, 0, batch_);
  return true;
}

void PlanExecution::Accumulate(const PlannedLayer& layer, const PlannedSource& source, int first,
                               int count) {
  const uint8_t* input = At(source.map, first);
  if (layer.op == Op::kSumPool) {
    const PlannedTarget& target = layer.targets[source.first_target];
    kernels_.sum_pool(source.geometry, count, input, At<int32_t>(target.accumulators));
    return;
  }
  std::array<ConvTarget, kMaxGroups> targets;
  for (size_t t = 0; t < source.tiles.size(); ++t) {
    const PlannedTarget& target = layer.targets[source.first_target + t];
    targets[t] = {source.tiles[t], At<int32_t>(target.accumulators), target.channels};
  }
  kernels_.convolve(source.geometry, count, input,
                    std::span<const ConvTarget>(targets).first(source.tiles.size()), source.add,
                    arena_.data() + plan_.scratch_offset());
}

void PlanExecution::Finish(const PlannedLayer& layer, int first, int count) {
  if (layer.op == Op::kLinear) {
    StoreLogits(layer, first, count);
    return;
  }
  for (const PlannedTarget& target : layer.targets) {
    const int32_t* shortcut =
        target.epilogue.shortcut_mul != nullptr ? At<int32_t>(target.shortcut, first) : nullptr;
    kernels_.requantize(target.epilogue, count * layer.pixels_per_image,
                        At<int32_t>(target.accumulators), shortcut, At(target.map, first));
  }
}

void PlanExecution::MaxPool(const PlannedLayer& layer) {
  for (const PlannedSource& source : layer.sources) {
    const PlannedTarget& target = layer.targets[source.first_target];
    kernels_.max_pool(source.geometry, batch_, At(source.map), At(target.map));
  }
}

// Drops the padding lanes of a head's accumulators.
void PlanExecution::StoreLogits(const PlannedLayer& layer, int first, int count) {
  const PlannedTarget& target = layer.targets.front();
  for (int image = 0; image < count; ++image) {
    std::memcpy(At(layer.logits, first + image), At(target.accumulators, image),
                static_cast<size_t>(layer.logits.bytes_per_image));
  }
  logits_ = {At<int32_t>(layer.logits), static_cast<size_t>(batch_ * target.channels)};
}

model::LayerIndex PlanExecution::exchange_layer() const {
  return exchange_slot_ == kNoSlot ? model::kNoLayer : plan_.slot(exchange_slot_).layer;
}

std::span<const uint8_t> PlanExecution::LocalMap(int group) const {
  BRAID_CHECK(exchange_slot_ != kNoSlot && plan_.spec().local.Contains(group))
      << "no local map of group " << group << " at an exchange";
  const ImageMemory& map = plan_.slot(exchange_slot_).maps[static_cast<size_t>(group)];
  return {At(map), static_cast<size_t>(batch_ * map.bytes_per_image)};
}

GroupSet PlanExecution::Missing() const {
  return exchange_slot_ == kNoSlot ? GroupSet() : MissingAt(exchange_slot_);
}

Status PlanExecution::Supply(model::LayerIndex layer, int group, std::span<const uint8_t> map) {
  if (state_ != State::kRunning) return InvalidArgument("map: no run is under way");
  const int slot = plan_.SlotOf(layer);
  if (slot == kNoSlot) {
    return InvalidArgument("map: layer " + std::to_string(layer) + " is not exchanged");
  }
  if (group < 0 || group >= kMaxGroups || !MissingAt(slot).Contains(group)) {
    return InvalidArgument("map: group " + std::to_string(group) + " at layer " +
                           std::to_string(layer) + " is not awaited, or was supplied before");
  }
  const ExchangeSlot& exchange = plan_.slot(slot);
  const ImageMemory& memory = exchange.maps[static_cast<size_t>(group)];
  const auto expected = static_cast<size_t>(batch_ * memory.bytes_per_image);
  if (map.size() != expected) {
    return InvalidArgument("map: " + std::to_string(map.size()) + " bytes, expected " +
                           std::to_string(expected));
  }
  if (!kernels::InRange(map, exchange.kind)) {
    return InvalidArgument(std::string("map: a byte is no ") + ElementKindName(exchange.kind));
  }
  std::memcpy(At(memory), map.data(), expected);
  supplied_[static_cast<size_t>(slot)] = supplied_[static_cast<size_t>(slot)].With(group);
  return OkStatus();
}

void PlanExecution::Retain(std::span<const int> keep) {
  BRAID_CHECK(state_ == State::kAtCheckpoint) << "Retain away from a checkpoint";
  int previous = -1;
  for (const int image : keep) {
    BRAID_CHECK(image > previous && image < batch_) << "Retain: images must ascend in the batch";
    previous = image;
  }
  for (const ImageMemory& memory : plan_.layers()[cursor_ - 1].survive) {
    // Images move towards the front only, each to a place that has been vacated or is its own.
    int to = 0;
    for (const int from : keep) {
      if (to != from) {
        std::memcpy(At(memory, to), At(memory, from), static_cast<size_t>(memory.bytes_per_image));
      }
      ++to;
    }
  }
  batch_ = static_cast<int>(keep.size());
}

}  // namespace

std::unique_ptr<Execution> Execution::Create(const Plan& plan) {
  // ExecutionPlan is the only implementation, and Make the only way to one.
  const auto& execution_plan = static_cast<const ExecutionPlan&>(plan);
  AlignedBuffer arena(execution_plan.arena_bytes());
  if (arena.data() == nullptr) return nullptr;
  return std::unique_ptr<Execution>(new (std::nothrow)
                                        PlanExecution(execution_plan, std::move(arena)));
}

}  // namespace braid::runtime
