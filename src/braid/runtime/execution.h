// Runs one sub-network (or one device's part of it) on one device, resumably. Layer: runtime.
// The form of running is docs/architecture.md, "Resumable execution".
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/kernels/path.h"
#include "braid/model/network.h"
#include "braid/tensor/group_set.h"
#include "braid/tensor/map_shape.h"

namespace braid::runtime {

// Threads of a device's own for its executions.
struct ThreadOptions {
  int count = 1;  // 0: UsableProcessors() of thread_pool.h
  // A layer is divided only where each part gets this many multiplications: about 20 µs with
  // AVX-512, which handing a part to another thread is worth.
  int64_t products_per_part = int64_t{4} << 20;
};

// A network's weights packed once for one device: the rows of its share, in tiles
// [output group x input group] that all plans share. Immutable and thread-safe after Prepare.
class PreparedModel {
 public:
  // `share`: the channel groups whose weight rows this device carries (heads are replicated).
  // The network must have passed model::Validate and must outlive this. `threads` share the work
  // of each execution of this model; results do not depend on them.
  static Result<std::unique_ptr<PreparedModel>> Prepare(const model::Network& network,
                                                        GroupSet share, kernels::Path path,
                                                        const ThreadOptions& threads = {});
  virtual ~PreparedModel() = default;
  virtual const model::Network& network() const = 0;
  virtual GroupSet share() const = 0;
  virtual kernels::Path path() const = 0;
  // Bytes of packed weights held.
  virtual int64_t weight_bytes() const = 0;
};

// What to run. `local` are the groups computed here, a subset of `groups` and of the share; the
// rest of `groups` comes from peers. max_batch images share one execution.
struct PlanSpec {
  GroupSet groups;  // the sub-network
  GroupSet local;
  model::LayerIndex head = model::kNoLayer;  // kNoLayer: the last head
  int max_batch = 1;
  // Stop (kCheckpoint) at the heads that lie before `head` in the network. Plans whose groups span
  // devices run through to their head: there, each participant holds partial sums only.
  bool exits = true;
};

enum class Step : uint8_t {
  kDone,             // Logits() holds this device's part
  kExchangeReady,    // exchange().layer's local map is complete: send it, then Resume()
  kExchangeAwaited,  // own part of the next layer is computed; Supply() what is missing, Resume()
  kCheckpoint,       // an exit was reached: exit logits can be read; Retain() or drop, Resume()
};

// Memory laid out and kernels chosen for one PlanSpec. Immutable and thread-safe; many Executions
// share it. Must not outlive its PreparedModel.
class Plan {
 public:
  // INVALID_ARGUMENT when the sub-network does not exist, or local is no subset of the share.
  static Result<std::unique_ptr<Plan>> Make(const PreparedModel& model, const PlanSpec& spec);
  virtual ~Plan() = default;
  virtual const PlanSpec& spec() const = 0;
  // Bytes of the one arena that an Execution allocates at its construction.
  virtual int64_t arena_bytes() const = 0;
  // Layers whose maps cross the wire in this plan, in order; empty when local == groups.
  virtual std::span<const model::LayerIndex> exchanges() const = 0;
  // Bytes of one group's map at `layer` for one image ([H,W,C_group] u7 or s8).
  virtual int64_t MapBytes(model::LayerIndex layer, int group) const = 0;
  // Logits of the head for one image: classes, times positions where it answers with a map.
  virtual int64_t logits_per_image() const = 0;
};

// Sees the maps of a run as they are finished, whatever the arena's layout: `braid verify` takes
// their digests. Not part of inference; it may allocate.
class MapObserver {
 public:
  virtual ~MapObserver() = default;
  // Row `y` of image `image` of the map of `group` at `layer`: `row` [W,C_group] u7 or s8, valid
  // during the call. The rows of an image ascend, so do the images. Heads leave no map; one that a
  // plan never writes to memory is not shown.
  virtual void OnRow(model::LayerIndex layer, int group, int image, int y,
                     std::span<const uint8_t> row) = 0;
};

// One run of a plan over a batch. Allocates in Create only; reusable by Start(). Not thread-safe:
// one thread at a time, any thread.
class Execution {
 public:
  // nullptr when the memory cannot be had.
  static std::unique_ptr<Execution> Create(const Plan& plan);
  virtual ~Execution() = default;

  // Begins a run. `pixels` [N,H,W,C] uint8, N in 1..max_batch, copied (as pixel - 128).
  // INVALID_ARGUMENT when the size does not fit. Any unfinished run is forgotten.
  virtual Status Start(std::span<const uint8_t> pixels, int n) = 0;

  // Runs until something below must happen. After kDone only Start is allowed.
  virtual Step Resume() = 0;

  // From now on adds what each layer takes, by `clock`, to `by_layer` [layers of the network]; both
  // borrowed until the next call. nullptr: no longer. For measurements; runs give the same bits.
  virtual void TimeLayers(const Clock* clock, std::span<Duration> by_layer) = 0;

  // The layer whose map is exchanged, after kExchangeReady or kExchangeAwaited.
  virtual model::LayerIndex exchange_layer() const = 0;
  // This device's map of `group` at the exchange layer, [n,H,W,C_group]; valid until the next
  // Start (exchanged maps have memory of their own).
  virtual std::span<const uint8_t> LocalMap(int group) const = 0;
  // Groups whose maps are still missing at the exchange layer.
  virtual GroupSet Missing() const = 0;
  // Hands in a peer's map of `group` at `layer` (copied). May come early: any layer that is still
  // ahead is accepted, once. INVALID_ARGUMENT on a wrong size, layer or group, without a run under
  // way, or when a byte leaves its kind's range (u7: > 127; s8: -128): then nothing is stored.
  virtual Status Supply(model::LayerIndex layer, int group, std::span<const uint8_t> map) = 0;

  // At kCheckpoint: the finished logits of the exit's head are in Logits(); keeps only the images
  // in `keep` (ascending indices into the current batch), compacting the batch so that the rest of
  // the work is not done.
  virtual void Retain(std::span<const int> keep) = 0;
  // Images now in the batch.
  virtual int batch() const = 0;

  // After kDone: this device's partial accumulators of the head, [n, classes] s32 ([n,H,W,classes]
  // where it answers with a map), summed over the local groups, without bias. Partial sums of all devices, added in any order and passed to
  // FinishLogits, are the sub-network's logits. At kCheckpoint likewise for the exit's head.
  virtual std::span<const int32_t> Logits() const = 0;

  // Shows `observer` the maps of the local groups from now on; nullptr: nobody. Borrowed.
  virtual void Observe(MapObserver* observer) = 0;
};

// Bias and rescale of a head: `partial_sums` [n, classes] or [n,H,W,classes] in place -> logits in
// the step that all sub-networks share, so that terms may be added.
void FinishLogits(const model::Network& network, int sub_network, model::LayerIndex head,
                  std::span<int32_t> partial_sums);

}  // namespace braid::runtime
