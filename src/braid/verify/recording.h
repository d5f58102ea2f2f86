// Every map that a sub-network leaves, as canonical bytes, whatever the kernels and the memory
// layout. Layer: verify.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "braid/base/status.h"
#include "braid/kernels/path.h"
#include "braid/model/network.h"
#include "braid/model/test_vectors.h"
#include "braid/runtime/execution.h"

namespace braid::verify {

// One slot's bytes: a group's map [n,H,W,C_group], or a head's logits [n,classes] as little-endian
// s32 after the rescale.
struct RecordedMap {
  model::DigestSlot slot;
  std::vector<uint8_t> bytes;  // empty: the plan never wrote this map to memory
};

// A network with its weights packed for one path.
class Recorder {
 public:
  // `network` must be valid and outlive this. FAILED_PRECONDITION where the processor lacks `path`.
  static Result<Recorder> Make(const model::Network& network, kernels::Path path);

  // The maps of `images` [n,H,W,C], one entry for each of DigestSlots, in its order.
  // RESOURCE_EXHAUSTED when the memory cannot be had.
  Result<std::vector<RecordedMap>> Record(int sub_network, std::span<const uint8_t> images) const;

  kernels::Path path() const { return model_->path(); }

 private:
  explicit Recorder(std::unique_ptr<runtime::PreparedModel> model) : model_(std::move(model)) {}
  std::unique_ptr<runtime::PreparedModel> model_;
};

}  // namespace braid::verify
