#include "braid/control/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "braid/control/test_network.h"

namespace braid::control {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr double kSpeed = 1e9;

DeviceState Device(uint64_t id, uint32_t share, Duration round_trip = {}, int queued = 0,
                   double speed = kSpeed) {
  return {.id = DeviceId{id},
          .self = id == 1,
          .share = GroupSet(share),
          .round_trip = round_trip,
          .requests_queued = queued,
          .macs_per_second = speed};
}

class RulesTest : public ::testing::Test {
 protected:
  std::string Name(const Result<Choice>& choice) const {
    return choice.ok() ? network_.points[static_cast<size_t>(choice.value().point)].name
                       : std::string(StatusCodeName(choice.status().code()));
  }
  std::string Choose(const Constraints& constraints, const std::vector<DeviceState>& devices) {
    return Name(controller_.Choose(constraints, devices, {}));
  }
  model::OperatingPoint& Point(const std::string& name) {
    return network_.points[static_cast<size_t>(PointNamed(network_, name))];
  }

  model::Network network_ = MakeTestNetwork(4);
  RuleController controller_{&network_};
  const std::vector<DeviceState> two_{Device(1, 0b0011), Device(2, 0b1100, milliseconds(1))};
};

TEST_F(RulesTest, TakesTheMostAccuratePointOfTheDevicesLeft) {
  EXPECT_EQ(Choose({}, two_), "g0+1+2+3");
  EXPECT_EQ(Choose({}, {two_[0]}), "g0+1");
}

TEST_F(RulesTest, EverySetOfDevicesHasAPoint) {
  for (uint32_t alive = 1; alive < 16; ++alive) {
    std::vector<DeviceState> devices;
    for (int g = 0; g < 4; ++g) {
      if ((alive >> g) & 1) devices.push_back(Device(static_cast<uint64_t>(g) + 1, 1u << g));
    }
    const Result<Choice> choice = controller_.Choose({}, devices, {});
    ASSERT_TRUE(choice.ok()) << alive;
    GroupSet groups;
    for (const Assignment& a : choice.value().placement) groups = groups | a.local;
    EXPECT_EQ(groups, GroupSet(alive));
  }
}

TEST_F(RulesTest, HonoursAnExplicitPointOrRefuses) {
  Constraints constraints;
  constraints.point = PointNamed(network_, "g0,1");
  EXPECT_EQ(Choose(constraints, two_), "g0,1");
  constraints.point = PointNamed(network_, "g2");
  EXPECT_EQ(Choose(constraints, {two_[0]}), "UNAVAILABLE");
  constraints.point = static_cast<int>(network_.points.size());
  EXPECT_EQ(Choose(constraints, two_), "INVALID_ARGUMENT");
  constraints.point = -1;
  EXPECT_EQ(Choose(constraints, two_), "INVALID_ARGUMENT");
}

TEST_F(RulesTest, KeepsTheWorstCaseWithinTheCostLimit) {
  const int64_t limit = Point("g0+1+2").macs_worst;
  Constraints constraints;
  constraints.max_macs = limit;
  const Result<Choice> choice = controller_.Choose(constraints, two_, {});
  ASSERT_TRUE(choice.ok());
  double best = 0;
  for (const model::OperatingPoint& point : network_.points) {
    if (point.macs_worst <= limit) best = std::max(best, point.accuracy);
  }
  const model::OperatingPoint& taken = network_.points[static_cast<size_t>(choice.value().point)];
  EXPECT_LE(taken.macs_worst, limit);
  EXPECT_EQ(taken.accuracy, best);
  constraints.max_macs = Point("g0").macs_worst;
  EXPECT_EQ(Choose(constraints, two_), "g0");
  constraints.max_macs = 1;
  EXPECT_EQ(Choose(constraints, two_), "OUT_OF_RANGE");
}

TEST_F(RulesTest, AccuracyIsBestEffortUnlessStrict) {
  Constraints constraints;
  constraints.min_accuracy = 0.935;
  EXPECT_EQ(Choose(constraints, {two_[0]}), "g0+1");
  constraints.strict = true;
  const Result<Choice> refused = controller_.Choose(constraints, std::vector{two_[0]}, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.status().message(), HasSubstr("92.00 %"));
  EXPECT_EQ(Choose(constraints, two_), "g0+1+2+3");
}

TEST_F(RulesTest, GivesUpAccuracyToMeetTheDeadline) {
  const std::vector<DeviceState> far{Device(1, 0b0011), Device(2, 0b1100, milliseconds(20))};
  Constraints constraints;
  constraints.remaining = milliseconds(100);
  EXPECT_EQ(Choose(constraints, far), "g0+1+2+3");
  constraints.remaining = milliseconds(10);
  EXPECT_EQ(Choose(constraints, far), "g0+1");
  constraints.remaining = Duration(1);
  EXPECT_EQ(Choose(constraints, far), "DEADLINE_EXCEEDED");
}

TEST_F(RulesTest, CountsEveryImageOfTheRequest) {
  Constraints constraints;
  constraints.remaining = microseconds(400);
  EXPECT_EQ(Choose(constraints, {two_[0]}), "g0+1");
  constraints.images = 64;
  EXPECT_EQ(Choose(constraints, {two_[0]}), "DEADLINE_EXCEEDED");
}

TEST_F(RulesTest, QueuesSteerTheChoiceButNeverRefuse) {
  Constraints constraints;
  constraints.remaining = milliseconds(1);
  EXPECT_EQ(Choose(constraints, {Device(1, 0b0011, {}, 1000)}), "g0")
      << "the point that ends soonest";
}

TEST_F(RulesTest, ASpeedMeasuredInABadMomentDoesNotRefuseForEver) {
  Constraints constraints;
  constraints.remaining = milliseconds(10);
  int refused = 0;
  while (refused < 100 && Choose(constraints, {Device(1, 0b0011, {}, 0, 1e3)}) != "g0") ++refused;
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, 100);
}

TEST_F(RulesTest, TheLinkDecidesBetweenExchangingAndAddingLogits) {
  Point("g0+1,2+3").accuracy = Point("g0+1+2+3").accuracy - 0.0004;
  RuleController near(&network_);
  EXPECT_EQ(Name(near.Choose({}, two_, {})), "g0+1,2+3") << "equal within the slack, no exchange";
  EXPECT_EQ(Name(near.Choose({}, std::vector{Device(1, 0b1111)}, {})), "g0+1,2+3")
      << "and cheaper on one device, too";
  Point("g0+1,2+3").macs_mean = 100 * Point("g0+1+2+3").macs_mean;
  RuleController costly(&network_);
  EXPECT_EQ(Name(costly.Choose({}, two_, {})), "g0+1+2+3") << "the exchange costs less than that";
  Point("g0+1,2+3").macs_mean = 0;
  Point("g0+1,2+3").accuracy = Point("g0+1+2+3").accuracy - 0.0006;
  RuleController apart(&network_);
  EXPECT_EQ(Name(apart.Choose({}, two_, {})), "g0+1+2+3") << "accuracy comes first";
}

TEST_F(RulesTest, SlackNeverFallsBelowTheAccuracyAskedFor) {
  Point("g0+1,2+3").accuracy = Point("g0+1+2+3").accuracy - 0.0004;
  RuleController near(&network_);
  Constraints constraints;
  constraints.min_accuracy = Point("g0+1+2+3").accuracy;
  EXPECT_EQ(Name(near.Choose(constraints, two_, {})), "g0+1+2+3");
}

TEST_F(RulesTest, WorksSideBySideUnderPressureAndCombinesAgainLater) {
  const auto queued = [this](int here, int there) {
    return std::vector{Device(1, 0b0011, {}, here), Device(2, 0b1100, milliseconds(1), there)};
  };
  EXPECT_EQ(Choose({}, queued(8, 8)), "g0+1+2+3");
  EXPECT_EQ(Choose({}, queued(9, 9)), "g0+1");
  EXPECT_EQ(Choose({}, queued(200, 1)), "g2+3") << "the other device answers sooner";
  EXPECT_EQ(Choose({}, queued(3, 3)), "g0+1") << "no flipping at the threshold";
  EXPECT_EQ(Choose({}, queued(1, 1)), "g0+1+2+3");
}

TEST_F(RulesTest, PressureDoesNotOverruleWhatTheRequestAsksFor) {
  const std::vector<DeviceState> pressed{Device(1, 0b0001, {}, 50),
                                         Device(2, 0b1110, milliseconds(1), 50)};
  Constraints constraints;
  constraints.point = PointNamed(network_, "g0+1");
  EXPECT_EQ(Choose(constraints, pressed), "g0+1");
  EXPECT_TRUE(controller_.under_pressure());
  constraints = {};
  constraints.min_accuracy = 0.925;
  EXPECT_EQ(Choose(constraints, pressed), "g1+2+3") << "alone on the device that reaches it";
  constraints.min_accuracy = 0.94;
  constraints.strict = true;
  EXPECT_EQ(Choose(constraints, pressed), "g0+1+2+3") << "no device reaches it alone";
}

TEST_F(RulesTest, ADeviceAloneIsNeverUnderPressure) {
  EXPECT_EQ(Choose({}, {Device(1, 0b0011, {}, 1000)}), "g0+1");
  EXPECT_FALSE(controller_.under_pressure());
}

TEST_F(RulesTest, SpreadsRequestsOfLikeDevicesUnderPressure) {
  int queued[2] = {20, 20};
  std::set<uint64_t> used;
  for (int i = 0; i < 10; ++i) {
    const Result<Choice> choice = controller_.Choose(
        {}, std::vector{Device(1, 15, {}, queued[0]), Device(2, 15, microseconds(50), queued[1])},
        {});
    ASSERT_TRUE(choice.ok());
    ASSERT_EQ(choice.value().placement.size(), 1u);
    const uint64_t device = static_cast<uint64_t>(choice.value().placement[0].device);
    used.insert(device);
    ++queued[device - 1];
  }
  EXPECT_EQ(used.size(), 2u);
}

TEST_F(RulesTest, RefusesWithoutDevices) { EXPECT_EQ(Choose({}, {}), "UNAVAILABLE"); }

}  // namespace
}  // namespace braid::control
