#include "braid/cluster/sim/group.h"

#include "braid/base/check.h"
#include "braid/control/rules.h"
#include "braid/runtime/testing/random_network.h"

namespace braid::cluster::sim {

Group::Group(const model::ModelFile& model, Oracle* oracle, const GroupOptions& options)
    : model_(model),
      options_(options),
      network_({.seed = options.seed,
                .latency = options.latency,
                .jitter = options.jitter,
                .limits = {.dial = std::chrono::milliseconds(300)}}),
      judge_(model.network, oracle) {
  for (size_t i = 0; i < options.shares.size(); ++i) {
    auto node = std::make_unique<Node>();
    node->name = "d" + std::to_string(i);
    node->share = options.shares[i];
    node->transport = network_.MakeTransport(node->name);
    nodes_.push_back(std::move(node));
  }
  for (auto& node : nodes_) Boot(*node);
}

Group::~Group() {
  for (auto& node : nodes_) {
    node->device.reset();
    node->executor.reset();
  }
}

void Group::Boot(Node& node) {
  DeviceOptions device = options_.device;
  device.name = node.name;
  device.share = node.share;
  device.incarnation = next_incarnation_++;
  device.listen = node.name + ":1";
  bool before = true;
  for (const auto& other : nodes_) {
    if (other->name == node.name) {
      before = false;
    } else if (before || !options_.dial_earlier_only) {
      device.peers.push_back(other->name + ":1");
    }
  }
  node.executor = MakeLoopExecutor(node.transport.get());
  node.controller = std::make_unique<control::RuleController>(&model_.network);
  auto made = Device::Create(model_, device, node.transport.get(), node.executor.get(),
                             node.controller.get());
  BRAID_CHECK(made.ok()) << made.status().ToString();
  node.device = std::move(made).value();
  const auto bound = node.device->Start();
  BRAID_CHECK(bound.ok()) << bound.status().ToString();
}

void Group::RunFor(Duration duration) {
  const TimePoint end = Now() + duration;
  network_.RunUntil(
      [this, end] {
        judge_.Look(Now());
        return Now() >= end;
      },
      duration);
  network_.RunUntil(end);
  judge_.Look(Now());
}

void Group::Submit(int i, std::optional<int> point, int images, Duration deadline) {
  Node& node = *nodes_[static_cast<size_t>(i)];
  BRAID_CHECK(node.device != nullptr);
  InferRequest request;
  request.pixels = runtime::testing::RandomPixels(next_pixels_++, model_.network, images);
  request.constraints.point = point;
  request.constraints.images = images;
  request.constraints.remaining = deadline;
  const uint64_t id = judge_.Open({.device = i,
                                   .pinned = point,
                                   .images = images,
                                   .pixels = request.pixels,
                                   .deadline = Now() + deadline,
                                   .excused = node.frozen});
  node.device->Submit(std::move(request), [this, id](const Result<InferResult>& result) {
    judge_.Finish(id, result, Now());
  });
}

void Group::Kill(int i) {
  Node& node = *nodes_[static_cast<size_t>(i)];
  judge_.Excuse(i);
  network_.Kill(node.name);
  // The process is gone; what its client sees (a closed connection) is the refusal that the
  // destructor gives to open requests.
  node.device.reset();
  node.executor.reset();
  node.controller.reset();
  node.frozen = false;
}

void Group::Revive(int i) {
  Node& node = *nodes_[static_cast<size_t>(i)];
  network_.Revive(node.name);
  Boot(node);
}

void Group::Freeze(int i) {
  judge_.Excuse(i);
  nodes_[static_cast<size_t>(i)]->frozen = true;
  network_.Freeze(name(i));
}

void Group::Thaw(int i) {
  // What was submitted while it stood still is excused at Submit; what is open now already was.
  nodes_[static_cast<size_t>(i)]->frozen = false;
  network_.Thaw(name(i));
}

}  // namespace braid::cluster::sim
