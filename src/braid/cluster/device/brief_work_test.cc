// Work that is expected to be short runs on the loop; the rest, and what nothing is known of, goes
// to the executor. Over real sockets: only there a loop and a compute thread differ.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "braid/cluster/device.h"
#include "braid/cluster/link/tcp_transport.h"
#include "braid/cluster/sim/braided_network.h"
#include "braid/control/rules.h"
#include "braid/runtime/testing/random_network.h"

namespace braid::cluster {
namespace {

class CountingExecutor final : public Executor {
 public:
  void Run(std::function<void()> job) override {
    ++jobs_;
    inner_->Run(std::move(job));
  }
  void Stop() override { inner_->Stop(); }
  int jobs() const { return jobs_; }

 private:
  std::atomic<int> jobs_ = 0;
  std::unique_ptr<Executor> inner_ = MakeThreadExecutor();
};

// A device with its own transport and executor.
struct Host {
  Host(const model::ModelFile& model, const std::string& name, GroupSet share, Duration brief_work,
       const std::string& peer = "")
      : controller(&model.network), transport(*TcpTransport::Create({})) {
    DeviceOptions options;
    options.name = name;
    options.share = share;
    options.listen = "127.0.0.1:0";
    options.incarnation = 1;
    options.brief_work = brief_work;
    if (!peer.empty()) options.peers = {peer};
    device = *Device::Create(model, options, transport.get(), &executor, &controller);
    address = *device->Start();
  }
  ~Host() {
    device.reset();
    executor.Stop();
  }

  Result<InferResult> Ask(const std::vector<uint8_t>& pixels, std::optional<int> point) {
    InferRequest request;
    request.pixels = pixels;
    request.constraints.point = point;
    request.constraints.images = 1;
    request.constraints.remaining = std::chrono::seconds(10);
    std::promise<Result<InferResult>> answer;
    device->Submit(std::move(request),
                   [&](Result<InferResult> result) { answer.set_value(std::move(result)); });
    return answer.get_future().get();
  }

  control::RuleController controller;
  CountingExecutor executor;
  std::unique_ptr<TcpTransport> transport;
  std::unique_ptr<Device> device;
  std::string address;
};

constexpr Duration kAnyWork = std::chrono::hours(1);

TEST(BriefWorkTest, RunsOnTheLoopOnceItsDurationIsKnown) {
  const model::ModelFile model = sim::BraidedModel(1);
  Host host(model, "a", GroupSet::First(4), kAnyWork);
  const auto pixels = runtime::testing::RandomPixels(1, model.network, 1);
  ASSERT_TRUE(host.Ask(pixels, std::nullopt).ok());
  EXPECT_EQ(host.executor.jobs(), 1);  // how long it would take was not known
  // The loop hears of the duration in a message of its own, which the next requests may overtake.
  int jobs = 0;
  for (int i = 0; i < 2000 && jobs != host.executor.jobs(); ++i) {
    jobs = host.executor.jobs();
    ASSERT_TRUE(host.Ask(pixels, std::nullopt).ok());
  }
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(host.Ask(pixels, std::nullopt).ok());
  EXPECT_EQ(host.executor.jobs(), jobs);
}

TEST(BriefWorkTest, LongerWorkGoesToTheExecutor) {
  const model::ModelFile model = sim::BraidedModel(1);
  Host host(model, "a", GroupSet::First(4), std::chrono::nanoseconds(1));
  const auto pixels = runtime::testing::RandomPixels(1, model.network, 1);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(host.Ask(pixels, std::nullopt).ok());
  EXPECT_EQ(host.executor.jobs(), 5);
}

TEST(BriefWorkTest, TwoDevicesExchangeMapsOnTheirLoopsAndAnswerTheSameBits) {
  const model::ModelFile model = sim::BraidedModel(2);
  sim::Oracle oracle(model.network);
  Host a(model, "a", GroupSet::First(2), kAnyWork);
  Host b(model, "b", GroupSet::First(4) - GroupSet::First(2), kAnyWork, a.address);
  const auto pixels = runtime::testing::RandomPixels(3, model.network, 1);
  int both = 0, jobs_before = 0;
  for (int i = 0; i < 2000 && both < 100; ++i) {
    const auto answer = (i % 2 == 0 ? a : b).Ask(pixels, std::nullopt);
    ASSERT_TRUE(answer.ok()) << answer.status().ToString();
    EXPECT_EQ(answer->logits, oracle.Logits(answer->point, pixels, 1));
    if (answer->devices.size() == 2) {
      if (++both == 10) jobs_before = a.executor.jobs() + b.executor.jobs();
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // not connected yet
    }
  }
  EXPECT_EQ(both, 100);
  EXPECT_EQ(a.executor.jobs() + b.executor.jobs(), jobs_before);
}

}  // namespace
}  // namespace braid::cluster
