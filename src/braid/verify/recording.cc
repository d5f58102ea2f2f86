#include "braid/verify/recording.h"

#include <algorithm>
#include <string>
#include <utility>

namespace braid::verify {
namespace {

using model::LayerIndex;
using model::Network;
using runtime::Step;

// Appends what it is shown to the entry of its slot.
class Collector final : public runtime::MapObserver {
 public:
  explicit Collector(std::vector<RecordedMap>& maps) : maps_(maps) {}

  void OnRow(LayerIndex layer, int group, int /*image*/, int /*y*/,
             std::span<const uint8_t> row) override {
    std::vector<uint8_t>& bytes = Find(layer, group).bytes;
    bytes.insert(bytes.end(), row.begin(), row.end());
  }

  void OnLogits(LayerIndex head, std::span<const int32_t> logits) {
    std::vector<uint8_t>& bytes = Find(head, 0).bytes;
    for (const int32_t logit : logits) {
      const auto bits = static_cast<uint32_t>(logit);
      for (int shift = 0; shift < 32; shift += 8) bytes.push_back((bits >> shift) & 0xff);
    }
  }

 private:
  RecordedMap& Find(LayerIndex layer, int group) {
    const model::DigestSlot slot{.layer = layer, .group = group};
    const auto found = std::find_if(maps_.begin(), maps_.end(),
                                    [&](const RecordedMap& map) { return map.slot == slot; });
    BRAID_CHECK(found != maps_.end()) << "a map of layer " << layer << " that nobody needs";
    return *found;
  }

  std::vector<RecordedMap>& maps_;
};

std::vector<LayerIndex> Heads(const Network& network) {
  std::vector<LayerIndex> heads;
  for (size_t l = 0; l < network.layers.size(); ++l) {
    if (network.layers[l].op == model::Op::kLinear) heads.push_back(static_cast<LayerIndex>(l));
  }
  return heads;
}

}  // namespace

Result<Recorder> Recorder::Make(const Network& network, kernels::Path path) {
  if (!kernels::PathSupported(path)) {
    return FailedPrecondition("this processor cannot run the kernels '" +
                              std::string(kernels::PathName(path)) + "'");
  }
  BRAID_ASSIGN_OR_RETURN(
      auto model, runtime::PreparedModel::Prepare(network, GroupSet::First(network.groups), path));
  return Recorder(std::move(model));
}

Result<std::vector<RecordedMap>> Recorder::Record(int sub_network,
                                                  std::span<const uint8_t> images) const {
  const Network& network = model_->network();
  const GroupSet groups = network.sub_networks[static_cast<size_t>(sub_network)].groups;
  const size_t image = static_cast<size_t>(network.input_h) * static_cast<size_t>(network.input_w) *
                       static_cast<size_t>(network.input_c);
  const auto n = static_cast<int>(images.size() / image);
  const std::vector<LayerIndex> heads = Heads(network);
  BRAID_ASSIGN_OR_RETURN(
      const auto plan,
      runtime::Plan::Make(
          *model_,
          {.groups = groups, .local = groups, .head = heads.back(), .max_batch = n, .exits = true}));
  const auto execution = runtime::Execution::Create(*plan);
  if (execution == nullptr) {
    return ResourceExhausted("no memory for an execution of " +
                             std::to_string(plan->arena_bytes()) + " bytes");
  }

  std::vector<RecordedMap> maps;
  for (const model::DigestSlot& slot : model::DigestSlots(network, groups)) {
    maps.push_back({.slot = slot, .bytes = {}});
  }
  Collector collector(maps);
  execution->Observe(&collector);
  BRAID_RETURN_IF_ERROR(execution->Start(images, n));
  for (const LayerIndex head : heads) {
    // Heads are reached in layer order: a checkpoint at each, the end at the last.
    const Step step = execution->Resume();
    BRAID_CHECK(step == (head == heads.back() ? Step::kDone : Step::kCheckpoint))
        << "a plan without peers stopped between its heads";
    const std::span<const int32_t> sums = execution->Logits();
    std::vector<int32_t> logits(sums.begin(), sums.end());
    runtime::FinishLogits(network, sub_network, head, logits);
    collector.OnLogits(head, logits);
  }
  return maps;
}

}  // namespace braid::verify
