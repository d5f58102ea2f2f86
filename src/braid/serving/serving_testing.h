// A device that does what a test tells it to. For tests of this module only.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "braid/cluster/device.h"

namespace braid::serving {

// A network as far as the front door looks at it: 2x3x1 images, three classes, two points, the
// first with the second of two heads.
inline model::ModelFile TestModel() {
  model::ModelFile file;
  model::Network& network = file.network;
  network.name = "test_model";
  network.input_h = 2;
  network.input_w = 3;
  network.input_c = 1;
  network.labels = {"zero", "one", "two"};
  network.layers.resize(4);
  network.layers[1].op = model::Op::kConv;
  network.layers[2].op = model::Op::kLinear;
  network.layers[3].op = model::Op::kLinear;
  network.points.resize(2);
  network.points[0].name = "g0+1";
  network.points[0].head = 3;
  network.points[1].name = "g0";
  network.points[1].head = 2;
  file.digest = "00";
  return file;
}

class FakeDevice final : public cluster::Device {
 public:
  explicit FakeDevice(int max_batch = 4) {
    options_.name = "fake";
    options_.max_batch = max_batch;
  }

  // Class = sum of an image's pixels modulo 3; its logit is that sum, the others are -1.
  static cluster::InferResult Answer(const cluster::InferRequest& request) {
    cluster::InferResult result;
    result.images = request.constraints.images;
    for (int i = 0; i < result.images; ++i) {
      int sum = 0;
      for (size_t p = 0; p < 6; ++p) sum += request.pixels.at(static_cast<size_t>(i) * 6 + p);
      for (int c = 0; c < 3; ++c) result.logits.push_back(c == sum % 3 ? sum : -1);
      result.classes.push_back(sum % 3);
    }
    result.point = request.constraints.point.value_or(0);
    result.devices = {"fake", "peer"};
    result.macs = 1234;
    result.failovers = 2;
    return result;
  }

  Result<std::string> Start() override { return std::string(); }

  void Submit(cluster::InferRequest request, Done done) override {
    std::function<void(const cluster::InferRequest&, const Done&)> handler;
    {
      const std::lock_guard lock(mutex_);
      last_ = request.constraints;
      ++submitted_;
      handler = handler_;
    }
    if (handler) {
      handler(request, done);
    } else {
      done(Answer(request));
    }
  }

  void SelfTest(std::function<void(Status)> done) override {
    ++self_tests_;
    done(healthy_ ? OkStatus() : Internal("broken on purpose"));
  }

  void Report(std::function<void(std::vector<PeerReport>)> done) override { done({}); }
  const model::ModelFile& model() const override { return model_; }
  const cluster::DeviceOptions& options() const override { return options_; }

  // Replaces the answer; called on a thread of gRPC's.
  void SetHandler(std::function<void(const cluster::InferRequest&, const Done&)> handler) {
    const std::lock_guard lock(mutex_);
    handler_ = std::move(handler);
  }
  void SetHealthy(bool healthy) { healthy_ = healthy; }
  int self_tests() const { return self_tests_; }
  int submitted() const {
    const std::lock_guard lock(mutex_);
    return submitted_;
  }
  control::Constraints last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }

 private:
  const model::ModelFile model_ = TestModel();
  cluster::DeviceOptions options_;
  mutable std::mutex mutex_;
  std::function<void(const cluster::InferRequest&, const Done&)> handler_;
  control::Constraints last_;
  int submitted_ = 0;
  std::atomic<bool> healthy_ = true;
  std::atomic<int> self_tests_ = 0;
};

}  // namespace braid::serving
