// Faults as clients see them: a stream through both front doors while a device is killed or frozen,
// in both ways of combining. What the group does below is tested in tests/cluster.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <thread>

#include "braid/cli/answer_check.h"
#include "braid/cli/image_stream.h"
#include "braid/cli/process_testing.h"
#include "braid/model/cost.h"
#include "braid/model/operating_point_name.h"

namespace braid::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Case {
  const char* name;
  bool freeze;  // or kill
  bool added;   // two pairs whose logits are added, or all four through cross weights
};

class DoorFaultsTest : public ProcessTest, public testing::WithParamInterface<Case> {
 protected:
  DoorFaultsTest() {
    if (GetParam().added) PreferPairs();
    data::LoadOptions load;
    load.count = 200;
    auto digits = data::Load("digits", "test", load);
    EXPECT_TRUE(digits.ok()) << digits.status().ToString();
    dataset_ = std::move(digits).value();
  }

  // Adds the point "g0+1,2+3" and makes it the most accurate one, which the rules take.
  void PreferPairs() {
    const std::vector<GroupSet> pairs = {GroupSet(0b0011), GroupSet(0b1100)};
    model::OperatingPoint point;
    point.name = model::FormatPointName(pairs);
    for (const GroupSet pair : pairs) {
      point.terms.push_back(model::FindSubNetwork(network_, pair));
    }
    point.head = network_.points.front().head;
    point.accuracy = 0.99;
    const model::Cost cost = model::PointCost(network_, point);
    point.macs_mean = point.macs_worst = cost.macs;
    point.weight_bytes = cost.weight_bytes;
    network_.points.push_back(std::move(point));
    const Status written = model::WriteModelFile(network_, ModelPath());
    ASSERT_TRUE(written.ok()) << written.ToString();
  }

  std::unique_ptr<DeviceProcess> Start(DeviceProcessOptions options) {
    options.more = {"--quiet"};
    auto device = DeviceProcess::Start(options, seconds(60));
    EXPECT_TRUE(device.ok()) << device.status().ToString();
    return device.ok() ? std::move(device).value() : nullptr;
  }

  data::Dataset dataset_;
};

TEST_P(DoorFaultsTest, CostNoRequestAndNoAnswerIsWrong) {
  auto a = Start(Device("a", "0,1"));
  ASSERT_NE(a, nullptr);
  DeviceProcessOptions second = Device("b", "2,3");
  second.peers = {a->listen()};
  auto b = Start(second);
  ASSERT_NE(b, nullptr);
  client::ClientOptions options;
  options.endpoints = {a->grpc(), b->grpc()};
  auto client = client::Client::Create(options);
  ASSERT_TRUE(client.ok());
  ImageStream stream(client->get(), &dataset_, {4, 4, seconds(1), "", 0});
  stream.Start();
  ASSERT_TRUE(BothAnswer(stream));

  for (int round = 0; round < 2; ++round) {
    // The fault, long enough to be noticed and to work without the device for a while.
    if (GetParam().freeze) {
      b->Signal(SIGSTOP);
      std::this_thread::sleep_for(milliseconds(600));
      b->Signal(SIGCONT);
    } else {
      second.grpc = b->grpc();
      b->Signal(SIGKILL);
      ASSERT_TRUE(b->Wait(seconds(60)).ok());
      std::this_thread::sleep_for(milliseconds(300));
      b = Start(second);
      ASSERT_NE(b, nullptr);
    }
    ASSERT_TRUE(BothAnswer(stream)) << "the device is not used again";
  }
  stream.Stop();

  AnswerCheck check(network_, dataset_);
  int failed = 0, wrong = 0, both = 0, alone = 0;
  for (const StreamAnswer& answer : stream.Answers()) {
    if (!answer.status.ok()) {
      ++failed;
      ADD_FAILURE() << answer.status.ToString();
      continue;
    }
    const auto equal = check.Equals(answer);
    ASSERT_TRUE(equal.ok()) << equal.status().ToString();
    wrong += *equal ? 0 : 1;
    both += answer.reply.devices.size() == 2 ? 1 : 0;
    alone += answer.reply.devices.size() == 1 ? 1 : 0;
    if (answer.reply.devices.size() == 2) {
      EXPECT_EQ(answer.reply.operating_point, GetParam().added ? "g0+1,2+3" : "g0-3");
    }
  }
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(both, 0);
  EXPECT_GT(alone, 0);
}

INSTANTIATE_TEST_SUITE_P(All, DoorFaultsTest,
                         testing::Values(Case{"KillWhileExchanging", false, false},
                                         Case{"FreezeWhileExchanging", true, false},
                                         Case{"KillWhileAdding", false, true},
                                         Case{"FreezeWhileAdding", true, true}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace braid::cli
