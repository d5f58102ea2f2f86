// A network spread over devices with real threads and sockets gives the bits of one device.
#include <gtest/gtest.h>

#include <set>

#include "braid/cluster/sim/braided_network.h"
#include "braid/runtime/testing/random_network.h"
#include "tcp_group.h"

namespace braid::cluster::testing {
namespace {

class CombinedTest : public ::testing::TestWithParam<std::vector<GroupSet>> {
 protected:
  const model::ModelFile model_ = sim::BraidedModel(21);
  sim::Oracle oracle_{model_.network};

  InferRequest Request(int point, int images, uint64_t seed) const {
    InferRequest request;
    request.pixels = runtime::testing::RandomPixels(seed, model_.network, images);
    request.constraints.images = images;
    request.constraints.point = point;
    return request;
  }
};

TEST_P(CombinedTest, EveryPointFromEveryDeviceEqualsOneDeviceBitForBit) {
  const auto group = MakeGroup(model_, GetParam());
  std::set<size_t> participants;
  for (int point = 0; point < static_cast<int>(model_.network.points.size()); ++point) {
    for (const auto& device : group) {
      const int images = 1 + point % 3;
      const InferRequest request = Request(point, images, static_cast<uint64_t>(point));
      const auto result = device->Submit(request).get();
      ASSERT_TRUE(result.ok()) << result.status().ToString();
      EXPECT_EQ(result->point, point);
      EXPECT_EQ(result->logits, oracle_.Logits(point, request.pixels, images))
          << model_.network.points[static_cast<size_t>(point)].name;
      EXPECT_EQ(result->failovers, 0);
      participants.insert(result->devices.size());
    }
  }
  EXPECT_TRUE(participants.contains(group.size())) << "never were all devices at work";
}

TEST_P(CombinedTest, ManyRequestsInFlightFromAllDevicesStayApart) {
  const auto group = MakeGroup(model_, GetParam());
  struct Asked {
    InferRequest request;
    std::future<Result<InferResult>> result;
  };
  std::vector<Asked> asked;
  const int points = static_cast<int>(model_.network.points.size());
  for (int i = 0; i < 40 * static_cast<int>(group.size()); ++i) {
    Asked next;
    next.request = Request(i % points, 1 + i % 4, static_cast<uint64_t>(i));
    next.result = group[static_cast<size_t>(i) % group.size()]->Submit(next.request);
    asked.push_back(std::move(next));
  }
  for (Asked& each : asked) {
    const auto result = each.result.get();
    ASSERT_TRUE(result.ok()) << result.status().ToString();
    EXPECT_EQ(result->logits, oracle_.Logits(*each.request.constraints.point, each.request.pixels,
                                             each.request.constraints.images));
  }
}

TEST_P(CombinedTest, TheSelfTestRunsOnWhatTheDeviceCarries) {
  const auto group = MakeGroup(model_, GetParam());
  for (const auto& device : group) {
    std::promise<Status> tested;
    device->device().SelfTest([&tested](const Status& status) { tested.set_value(status); });
    EXPECT_EQ(tested.get_future().get().ToString(), "OK");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shares, CombinedTest,
    ::testing::Values(std::vector<GroupSet>{GroupSet(0b1111)},
                      std::vector<GroupSet>{GroupSet(0b0011), GroupSet(0b1100)},
                      std::vector<GroupSet>{GroupSet(0b0001), GroupSet(0b0110), GroupSet(0b1000)},
                      std::vector<GroupSet>{GroupSet(0b0001), GroupSet(0b0010), GroupSet(0b0100),
                                            GroupSet(0b1000)}),
    [](const auto& info) { return std::to_string(info.param.size()) + "Devices"; });

}  // namespace
}  // namespace braid::cluster::testing
