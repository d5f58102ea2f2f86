// Runs a plan over its arena. Layer: runtime. Nothing here allocates after Create.
#include "braid/runtime/execution.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <type_traits>

#include "braid/base/check.h"
#include "braid/kernels/convolution/convolution.h"
#include "braid/kernels/geometry.h"
#include "braid/kernels/range.h"
#include "braid/runtime/aligned_buffer.h"
#include "braid/runtime/execution_plan.h"
#include "braid/runtime/map_copy.h"

namespace braid::runtime {
namespace {

using kernels::BoundConvolution;
using model::Op;

// The convolutions of one layer with their pointers into one arena.
struct BoundLayer {
  std::vector<BoundConvolution> own, peers;
};

std::vector<BoundConvolution> Bind(std::byte* arena,
                                   std::span<const PlannedConvolution> planned) {
  std::vector<BoundConvolution> bound;
  for (const PlannedConvolution& p : planned) {
    kernels::ConvolutionMemory memory;
    const auto fill = [arena](auto& to, const std::vector<int64_t>& offsets) {
      for (const int64_t offset : offsets) {
        using Pointer = typename std::remove_cvref_t<decltype(to)>::value_type;
        to.push_back(reinterpret_cast<Pointer>(arena + offset));
      }
    };
    fill(memory.maps, p.maps);
    fill(memory.outputs, p.outputs);
    fill(memory.wide, p.wide);
    fill(memory.shortcuts, p.shortcuts);
    memory.tiles = p.tiles;
    memory.tables = p.tables;
    memory.shortcut_clamp = p.shortcut_clamp;
    bound.push_back(p.convolution->Bind(memory));
  }
  return bound;
}

class PlanExecution final : public Execution {
 public:
  PlanExecution(const ExecutionPlan& plan, AlignedBuffer arena)
      : plan_(plan),
        kernels_(plan.model().kernels()),
        arena_(std::move(arena)),
        supplied_(plan.exchanges().size()) {
    for (const RingFill& ring : plan.rings()) {
      for (int64_t i = 0; i < ring.bytes; ++i) {
        arena_.data()[ring.offset + i] =
            std::byte{ring.pixel[static_cast<size_t>(i) % ring.pixel.size()]};
      }
    }
    for (const PlannedLayer& layer : plan.layers()) {
      bound_.push_back({Bind(arena_.data(), layer.own), Bind(arena_.data(), layer.peers)});
    }
  }

  Status Start(std::span<const uint8_t> pixels, int n) override;
  Step Resume() override;
  void TimeLayers(const Clock* clock, std::span<Duration> by_layer) override {
    clock_ = clock;
    by_layer_ = by_layer;
  }
  model::LayerIndex exchange_layer() const override;
  std::span<const uint8_t> LocalMap(int group) const override;
  GroupSet Missing() const override;
  Status Supply(model::LayerIndex layer, int group, std::span<const uint8_t> map) override;
  void Retain(std::span<const int> keep) override;
  int batch() const override { return batch_; }
  std::span<const int32_t> Logits() const override { return logits_; }
  void Observe(MapObserver* observer) override { observer_ = observer; }

 private:
  enum class State : uint8_t { kIdle, kRunning, kAtCheckpoint, kFinished };

  template <typename T = uint8_t>
  T* At(const ImageMemory& memory, int image = 0) const {
    return reinterpret_cast<T*>(arena_.data() + memory.offset + image * memory.bytes_per_image);
  }

  // The first exchange whose maps `layer` still waits for, or kNoSlot.
  int AwaitedBy(const PlannedLayer& layer) const {
    for (const int slot : layer.awaits) {
      if (!MissingAt(slot).empty()) return slot;
    }
    return kNoSlot;
  }
  GroupSet MissingAt(int slot) const {
    return plan_.spec().groups - plan_.spec().local - supplied_[static_cast<size_t>(slot)];
  }

  // False: waits for maps of peers.
  bool RunLayer(const PlannedLayer& layer, const BoundLayer& bound);
  bool RunTimed(const PlannedLayer& layer, const BoundLayer& bound);
  bool RunConvolution(const PlannedLayer& layer, const BoundLayer& bound);
  void RunRows(std::span<const PlannedConvolution> planned,
               std::span<const BoundConvolution> convolutions);
  void RunFilters(const PlannedLayer& layer);
  void RunMapHead(const PlannedLayer& layer, const BoundLayer& bound);
  void RunHead(const PlannedLayer& layer, const BoundLayer& bound);
  void RunMaxPool(const PlannedLayer& layer);
  void RunSumPool(const PlannedLayer& layer);
  // Copies own maps out of their rings, as they are sent.
  void FillWire(int slot);
  void ShowMaps(const PlannedLayer& layer) const;

  const ExecutionPlan& plan_;
  const kernels::KernelSet& kernels_;
  const AlignedBuffer arena_;
  std::vector<BoundLayer> bound_;  // [layers of the plan]

  State state_ = State::kIdle;
  int batch_ = 0;
  size_t cursor_ = 0;      // the layer that runs next or is under way
  bool own_done_ = false;  // that layer's own part is in its wide values
  int exchange_slot_ = kNoSlot;
  std::vector<GroupSet> supplied_;  // [exchanges]
  std::span<const int32_t> logits_;
  MapObserver* observer_ = nullptr;
  const Clock* clock_ = nullptr;
  std::span<Duration> by_layer_;
};

Status PlanExecution::Start(std::span<const uint8_t> pixels, int n) {
  state_ = State::kIdle;
  const int64_t bytes_per_image = plan_.input().WireBytes();
  if (n < 1 || n > plan_.spec().max_batch) {
    return InvalidArgument("batch: " + std::to_string(n) + ", expected 1.." +
                           std::to_string(plan_.spec().max_batch));
  }
  if (static_cast<int64_t>(pixels.size()) != n * bytes_per_image) {
    return InvalidArgument("pixels: " + std::to_string(pixels.size()) + " bytes, expected " +
                           std::to_string(n * bytes_per_image));
  }
  // pixel - 128 as a signed byte is the pixel with its top bit turned; biased by 128, it is itself.
  const uint8_t flip = PixelFlip(plan_.input().encoding);
  CopyIntoRing(plan_.input(), n, pixels.data(), flip, arena_.data());
  batch_ = n;
  cursor_ = 0;
  own_done_ = false;
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
    const bool complete = clock_ == nullptr ? RunLayer(layer, bound_[cursor_])
                                            : RunTimed(layer, bound_[cursor_]);
    if (!complete) {
      exchange_slot_ = AwaitedBy(layer);
      return Step::kExchangeAwaited;
    }
    if (observer_ != nullptr && layer.op != Op::kLinear) ShowMaps(layer);
    ++cursor_;
    own_done_ = false;
    if (layer.exchanged) {
      exchange_slot_ = plan_.SlotOf(layer.layer);
      FillWire(exchange_slot_);
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

bool PlanExecution::RunTimed(const PlannedLayer& layer, const BoundLayer& bound) {
  const TimePoint start = clock_->Now();
  const bool complete = RunLayer(layer, bound);
  by_layer_[static_cast<size_t>(layer.layer)] += clock_->Now() - start;
  return complete;
}

bool PlanExecution::RunLayer(const PlannedLayer& layer, const BoundLayer& bound) {
  switch (layer.op) {
    case Op::kInput:
      return true;
    case Op::kConv:
      return RunConvolution(layer, bound);
    case Op::kMaxPool:
      RunMaxPool(layer);
      return true;
    case Op::kSumPool:
      RunSumPool(layer);
      return true;
    case Op::kLinear:
      if (layer.positions > 1) {
        RunMapHead(layer, bound);
      } else {
        RunHead(layer, bound);
      }
      return true;
  }
  return true;
}

// By images, or by rows where those are more. No two parts write the same byte.
void PlanExecution::RunRows(std::span<const PlannedConvolution> planned,
                            std::span<const BoundConvolution> convolutions) {
  for (size_t i = 0; i < planned.size(); ++i) {
    const bool by_image = batch_ >= planned[i].rows;
    const int64_t units = by_image ? batch_ : planned[i].rows;
    plan_.model().Divide(planned[i].products * batch_, units, [&](int part, int parts) {
      const kernels::Range range{units * part / parts, units * (part + 1) / parts};
      convolutions[i].Run(by_image ? range : kernels::Range{0, batch_},
                          by_image ? kernels::Range{0, planned[i].rows} : range);
    });
  }
}

bool PlanExecution::RunConvolution(const PlannedLayer& layer, const BoundLayer& bound) {
  if (!own_done_) {
    RunRows(layer.own, bound.own);
    RunFilters(layer);
  }
  own_done_ = true;
  if (AwaitedBy(layer) != kNoSlot) return false;
  RunRows(layer.peers, bound.peers);
  return true;
}

// Image by image and row by row, so that sums are still in the cache when they become bytes.
void PlanExecution::RunFilters(const PlannedLayer& layer) {
  auto* arena = reinterpret_cast<uint8_t*>(arena_.data());
  for (const PlannedFilters& filters : layer.filters) {
    const kernels::FilterShape& shape = filters.shape;
    const kernels::OutputShape& output = shape.output;
    for (int image = 0; image < batch_; ++image) {
      const uint8_t* from = arena + filters.input + image * shape.source.image_stride;
      uint8_t* to = arena + filters.output + image * output.image_stride;
      auto* sums = At<int32_t>(filters.wide, filters.one_image ? 0 : image);
      const auto* shortcut = filters.shortcut.bytes_per_image == 0
                                 ? nullptr
                                 : At<int32_t>(filters.shortcut, image);
      plan_.model().Divide(filters.products, filters.rows, [&](int part, int parts) {
        const int end = filters.rows * (part + 1) / parts;
        for (int y = filters.rows * part / parts; y < end; ++y) {
          const int64_t wide = y * output.wide_row_stride;
          kernels_.filter_sums(shape, {y, y + 1}, from, filters.weights, sums);
          kernels_.requantize(filters.epilogue, shape.columns, sums + wide,
                              shortcut == nullptr ? nullptr : shortcut + wide,
                              to + y * output.row_stride);
        }
      });
    }
  }
}

// Position by position, the sums lose their padding lanes.
void PlanExecution::RunMapHead(const PlannedLayer& layer, const BoundLayer& bound) {
  RunRows(layer.own, bound.own);
  const auto classes = static_cast<size_t>(layer.classes);
  const int64_t padded = kernels::PaddedChannels(layer.classes);
  for (int image = 0; image < batch_; ++image) {
    const auto* sums = At<int32_t>(layer.sums, image);
    auto* logits = At<int32_t>(layer.logits, image);
    for (int64_t p = 0; p < layer.positions; ++p) {
      std::copy_n(sums + p * padded, classes, logits + p * layer.classes);
    }
  }
  logits_ = {At<int32_t>(layer.logits),
             static_cast<size_t>(batch_ * layer.positions * layer.classes)};
}

// Whole blocks of images, then what is left; the sums lose their padding lanes.
void PlanExecution::RunHead(const PlannedLayer& layer, const BoundLayer& bound) {
  const int64_t blocks = bound.own.size() > 1 ? batch_ / kHeadImages : 0;
  if (blocks > 0) {
    plan_.model().Divide(layer.own.front().products * batch_, blocks, [&](int part, int parts) {
      bound.own.front().Run({0, 1}, {blocks * part / parts, blocks * (part + 1) / parts});
    });
  }
  bound.own.back().Run({0, 1}, {blocks * kHeadImages, batch_});
  for (int image = 0; image < batch_; ++image) {
    std::memcpy(At(layer.logits, image), At(layer.sums, image),
                static_cast<size_t>(layer.logits.bytes_per_image));
  }
  logits_ = {At<int32_t>(layer.logits), static_cast<size_t>(batch_ * layer.classes)};
}

void PlanExecution::RunMaxPool(const PlannedLayer& layer) {
  auto* arena = reinterpret_cast<uint8_t*>(arena_.data());
  for (const PlannedPool& pool : layer.pools) {
    kernels_.max_pool(pool.shape, batch_, arena + pool.input, arena + pool.output);
  }
}

// Image by image, so that sums are still in the cache when they become bytes.
void PlanExecution::RunSumPool(const PlannedLayer& layer) {
  auto* arena = reinterpret_cast<uint8_t*>(arena_.data());
  for (const PlannedPool& pool : layer.pools) {
    const kernels::OutputShape& output = pool.shape.output;
    for (int image = 0; image < batch_; ++image) {
      auto* sums = At<int32_t>(pool.wide, pool.one_image ? 0 : image);
      kernels_.sum_pool(pool.shape, 1, arena + pool.input + image * pool.shape.source.image_stride,
                        sums);
      uint8_t* to = arena + pool.output + image * output.image_stride;
      for (int y = 0; y < pool.shape.rows; ++y) {
        kernels_.requantize(pool.epilogue, pool.shape.columns, sums + y * output.wide_row_stride,
                            nullptr, to + y * output.row_stride);
      }
    }
  }
}

void PlanExecution::FillWire(int slot) {
  const ExchangeSlot& exchange = plan_.slot(slot);
  for (const int group : plan_.spec().local) {
    const MapMemory& map = exchange.maps[static_cast<size_t>(group)];
    CopyOutOfRing(map, batch_, arena_.data(), WireFlip(map.encoding),
                  At(exchange.wire[static_cast<size_t>(group)]));
  }
}

void PlanExecution::ShowMaps(const PlannedLayer& layer) const {
  std::vector<uint8_t> dense;
  for (const PlannedMap& planned : layer.maps) {
    const MapMemory& map = planned.memory;
    const auto row_bytes = static_cast<size_t>(map.PixelBytes());
    dense.resize(static_cast<size_t>(map.WireBytes() * batch_));
    CopyOutOfRing(map, batch_, arena_.data(), WireFlip(map.encoding), dense.data());
    const uint8_t* row = dense.data();
    for (int image = 0; image < batch_; ++image) {
      for (int y = 0; y < map.rows; ++y, row += row_bytes) {
        observer_->OnRow(layer.layer, planned.group, image, y, {row, row_bytes});
      }
    }
  }
}

model::LayerIndex PlanExecution::exchange_layer() const {
  return exchange_slot_ == kNoSlot ? model::kNoLayer : plan_.slot(exchange_slot_).layer;
}

std::span<const uint8_t> PlanExecution::LocalMap(int group) const {
  BRAID_CHECK(exchange_slot_ != kNoSlot && plan_.spec().local.Contains(group))
      << "no local map of group " << group << " at an exchange";
  const ImageMemory& wire = plan_.slot(exchange_slot_).wire[static_cast<size_t>(group)];
  return {At(wire), static_cast<size_t>(batch_ * wire.bytes_per_image)};
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
  const MapMemory& memory = exchange.maps[static_cast<size_t>(group)];
  const auto expected = static_cast<size_t>(batch_ * memory.WireBytes());
  if (map.size() != expected) {
    return InvalidArgument("map: " + std::to_string(map.size()) + " bytes, expected " +
                           std::to_string(expected));
  }
  if (!kernels::InRange(map, exchange.kind)) {
    return InvalidArgument(std::string("map: a byte is no ") + ElementKindName(exchange.kind));
  }
  CopyIntoRing(memory, batch_, map.data(), WireFlip(memory.encoding), arena_.data());
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
