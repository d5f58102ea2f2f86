#include "braid/runtime/testing/split_run.h"

#include <utility>

#include "braid/base/check.h"
#include "braid/base/rng.h"

namespace braid::runtime::testing {
namespace {

struct Letter {
  size_t to = 0;
  model::LayerIndex layer = model::kNoLayer;
  int group = 0;
  std::vector<uint8_t> map;
};

class SplitRun {
 public:
  SplitRun(std::span<SplitDevice> devices, uint64_t seed)
      : devices_(devices), done_(devices.size(), false), rng_(seed) {}

  void Run() {
    size_t left = devices_.size();
    while (left > 0) {
      // Deliver a letter or let a device run, whichever the dice say; a device that waits in vain
      // just says so again.
      if (!post_.empty() && rng_.Below(2) == 0) {
        Deliver(rng_.Below(post_.size()));
        continue;
      }
      const size_t device = rng_.Below(devices_.size());
      if (done_[device]) continue;
      if (Advance(device)) --left;
    }
  }

 private:
  // True when the device is done.
  bool Advance(size_t device) {
    Execution& execution = *devices_[device].execution;
    switch (execution.Resume()) {
      case Step::kDone:
        done_[device] = true;
        return true;
      case Step::kExchangeReady:
        Send(device);
        return false;
      case Step::kExchangeAwaited:
        BRAID_CHECK(!execution.Missing().empty()) << "waits for nothing";
        return false;
      case Step::kCheckpoint:
        return false;
    }
    return false;
  }

  void Send(size_t from) {
    const SplitDevice& sender = devices_[from];
    for (size_t to = 0; to < devices_.size(); ++to) {
      if (to == from) continue;
      for (const int group : sender.plan->spec().local) {
        const auto map = sender.execution->LocalMap(group);
        post_.push_back({to, sender.execution->exchange_layer(), group, {map.begin(), map.end()}});
      }
    }
  }

  void Deliver(size_t index) {
    std::swap(post_[index], post_.back());
    const Letter letter = std::move(post_.back());
    post_.pop_back();
    const Status status =
        devices_[letter.to].execution->Supply(letter.layer, letter.group, letter.map);
    BRAID_CHECK(status.ok()) << status.ToString();
  }

  std::span<SplitDevice> devices_;
  std::vector<bool> done_;
  std::vector<Letter> post_;
  Rng rng_;
};

}  // namespace

SplitDevice MakeDevice(const model::Network& network, const PlanSpec& spec, kernels::Path path) {
  SplitDevice device;
  device.model = PreparedModel::Prepare(network, spec.local, path).value();
  device.plan = Plan::Make(*device.model, spec).value();
  device.execution = Execution::Create(*device.plan);
  BRAID_CHECK(device.execution != nullptr) << "no memory";
  return device;
}

std::vector<int32_t> RunSplit(const model::Network& network, std::span<SplitDevice> devices,
                              std::span<const uint8_t> pixels, int n, uint64_t seed) {
  for (SplitDevice& device : devices) {
    const Status started = device.execution->Start(pixels, n);
    BRAID_CHECK(started.ok()) << started.ToString();
  }
  SplitRun(devices, seed).Run();
  const PlanSpec& spec = devices.front().plan->spec();
  std::vector<int32_t> sums(static_cast<size_t>(n * devices.front().plan->logits_per_image()), 0);
  for (const SplitDevice& device : devices) {
    const auto part = device.execution->Logits();
    BRAID_CHECK(part.size() == sums.size()) << "a part of another size";
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += part[i];
  }
  FinishLogits(network, model::FindSubNetwork(network, spec.groups), spec.head, sums);
  return sums;
}

}  // namespace braid::runtime::testing
