// A group of devices in one thread and simulated time, with faults, load and a judge. Layer:
// cluster/sim, tests.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "braid/cluster/device.h"
#include "braid/cluster/link/memory_network.h"
#include "braid/cluster/sim/braided_network.h"
#include "braid/cluster/sim/judge.h"

namespace braid::cluster::sim {

struct GroupOptions {
  uint64_t seed = 1;
  std::vector<GroupSet> shares;  // one device each
  Duration latency = std::chrono::microseconds(200);
  Duration jitter = std::chrono::microseconds(200);
  // Each device dials those before it only, so that who comes back may have to wait to be dialed.
  bool dial_earlier_only = false;
  DeviceOptions device = {};  // name, share, addresses and incarnation are set by the group
};

class Group {
 public:
  // `model` and `oracle` outlive this. Every device listens and dials (all others, unless the options say less).
  Group(const model::ModelFile& model, Oracle* oracle, const GroupOptions& options);
  ~Group();

  int size() const { return static_cast<int>(nodes_.size()); }
  const std::string& name(int i) const { return nodes_[static_cast<size_t>(i)]->name; }
  bool alive(int i) const { return nodes_[static_cast<size_t>(i)]->device != nullptr; }
  bool frozen(int i) const { return nodes_[static_cast<size_t>(i)]->frozen; }
  Device& device(int i) { return *nodes_[static_cast<size_t>(i)]->device; }  // while alive
  MemoryNetwork& network() { return network_; }
  Judge& judge() { return judge_; }
  TimePoint Now() const { return network_.clock().Now(); }

  // Runs event by event; the judge looks after each.
  void RunFor(Duration duration);

  // A request of `images` random images at device `i`; `point` pins it. The judge expects an
  // answer within its deadline unless the point is pinned (its devices may be away).
  void Submit(int i, std::optional<int> point, int images, Duration deadline);

  void Kill(int i);    // SIGKILL
  void Revive(int i);  // as a new process: new incarnation, nothing remembered
  void Freeze(int i);
  void Thaw(int i);

 private:
  struct Node {
    std::string name;
    GroupSet share;
    std::unique_ptr<MemoryTransport> transport;
    std::unique_ptr<Executor> executor;
    std::unique_ptr<control::Controller> controller;
    std::unique_ptr<Device> device;  // null while killed
    bool frozen = false;
  };
  void Boot(Node& node);

  const model::ModelFile& model_;
  const GroupOptions options_;
  MemoryNetwork network_;
  Judge judge_;
  uint64_t next_incarnation_ = 1;
  uint64_t next_pixels_ = 1;
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace braid::cluster::sim
