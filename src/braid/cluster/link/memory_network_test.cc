// The faults of the network in memory, and that a seed repeats a run.
#include "braid/cluster/link/memory_network.h"

#include <gtest/gtest.h>

#include "braid/cluster/link/transport_fixture.h"

namespace braid::cluster {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

class MemoryNetworkTest : public ::testing::Test {
 protected:
  struct Node {
    std::unique_ptr<MemoryTransport> transport;
    std::unique_ptr<RecordingHandler> handler;
  };

  Node Make(MemoryNetwork* network, const std::string& name) {
    Node node;
    node.transport = network->MakeTransport(name);
    node.handler = std::make_unique<RecordingHandler>(node.transport.get(), &signal_);
    node.transport->SetHandler(node.handler.get());
    return node;
  }
  // `a` listens as "a:1", `b` has dialed it.
  void Connect() {
    ASSERT_TRUE(a_.transport->Listen("a:1").ok());
    Dial();
  }
  void Dial() {
    b_.transport->Dial("a:1");
    network_.RunFor(milliseconds(1));
    ASSERT_FALSE(a_.handler->connected.empty() || b_.handler->connected.empty());
    at_a_ = a_.handler->connected.back().id;
    at_b_ = b_.handler->connected.back().id;
    // Keeps the limit for the first frame out of the tests that wait.
    a_.transport->Send(at_a_, MapFrame(0, {}));
    b_.transport->Send(at_b_, MapFrame(0, {}));
    network_.RunFor(milliseconds(1));
    a_.handler->frames.clear();
    b_.handler->frames.clear();
  }
  static std::vector<int> Layers(const RecordingHandler& handler) {
    std::vector<int> layers;
    for (const auto& [id, frame] : handler.frames) layers.push_back(frame.layer);
    return layers;
  }

  Signal signal_;
  MemoryNetwork network_;
  Node a_ = Make(&network_, "a");
  Node b_ = Make(&network_, "b");
  ConnectionId at_a_{};
  ConnectionId at_b_{};
};

TEST_F(MemoryNetworkTest, TakesTheLatencyOfTheLinkOneWay) {
  Connect();
  network_.SetLatency("b", "a", milliseconds(5));
  const TimePoint start = network_.clock().Now();
  b_.transport->Send(at_b_, MapFrame(1, {}));
  a_.transport->Send(at_a_, MapFrame(2, {}));
  ASSERT_TRUE(network_.RunUntil([&] { return !b_.handler->frames.empty(); }, milliseconds(100)));
  EXPECT_EQ(network_.clock().Now() - start, microseconds(100));
  ASSERT_TRUE(network_.RunUntil([&] { return !a_.handler->frames.empty(); }, milliseconds(100)));
  EXPECT_EQ(network_.clock().Now() - start, milliseconds(5));
}

TEST_F(MemoryNetworkTest, RepeatsARunOfTheSameSeedAndNoOther) {
  const auto arrivals = [this](uint64_t seed) {
    MemoryNetwork network({.seed = seed, .jitter = milliseconds(1)});
    Node a = Make(&network, "a");
    Node b = Make(&network, "b");
    EXPECT_TRUE(a.transport->Listen("a:1").ok());
    b.transport->Dial("a:1");
    network.RunFor(milliseconds(10));
    std::vector<int64_t> times;
    std::vector<int> layers;
    a.handler->on_frame = [&](ConnectionId, const Frame& frame) {
      times.push_back(network.clock().Now().time_since_epoch().count());
      layers.push_back(frame.layer);
    };
    for (uint16_t i = 0; i < 20; ++i) {
      b.transport->Send(b.handler->connected[0].id, MapFrame(i, {1, 2, 3}));
    }
    network.RunFor(milliseconds(100));
    EXPECT_EQ(layers.size(), 20u);
    EXPECT_TRUE(std::is_sorted(layers.begin(), layers.end())) << "a stream keeps its order";
    return times;
  };
  EXPECT_EQ(arrivals(1), arrivals(1));
  EXPECT_NE(arrivals(1), arrivals(2));
}

TEST_F(MemoryNetworkTest, DropsFramesOneWay) {
  Connect();
  network_.SetFault("b", "a", LinkFault::kDrop);
  b_.transport->Send(at_b_, MapFrame(1, {}));
  a_.transport->Send(at_a_, MapFrame(2, {}));
  network_.RunFor(milliseconds(10));
  network_.SetFault("b", "a", LinkFault::kNone);
  b_.transport->Send(at_b_, MapFrame(3, {}));
  network_.RunFor(milliseconds(10));
  EXPECT_EQ(Layers(*a_.handler), std::vector<int>{3});
  EXPECT_EQ(Layers(*b_.handler), std::vector<int>{2});
}

TEST_F(MemoryNetworkTest, HoldsFramesAndEndsUntilTheFaultIsOver) {
  Connect();
  network_.SetFault("b", "a", LinkFault::kHold);
  b_.transport->Send(at_b_, MapFrame(1, {}));
  b_.transport->Send(at_b_, MapFrame(2, {}));
  b_.transport->Close(at_b_, "enough");
  network_.RunFor(milliseconds(10));
  EXPECT_TRUE(a_.handler->frames.empty() && a_.handler->closed.empty());
  network_.SetFault("b", "a", LinkFault::kNone);
  network_.RunFor(milliseconds(10));
  EXPECT_EQ(Layers(*a_.handler), (std::vector<int>{1, 2}));
  ASSERT_EQ(a_.handler->closed.size(), 1u);
  EXPECT_TRUE(a_.handler->closed[0].second.ok());
}

TEST_F(MemoryNetworkTest, LetsADialThroughAPartitionTimeOut) {
  ASSERT_TRUE(a_.transport->Listen("a:1").ok());
  network_.SetFault("a", "b", LinkFault::kDrop);
  b_.transport->Dial("a:1");
  network_.RunFor(std::chrono::seconds(1));
  EXPECT_TRUE(b_.handler->dial_failed.empty());
  network_.RunFor(std::chrono::seconds(2));
  ASSERT_EQ(b_.handler->dial_failed.size(), 1u);
  EXPECT_EQ(b_.handler->dial_failed[0].second.code(), StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(a_.handler->connected.empty());
}

TEST_F(MemoryNetworkTest, CutsBothEndsOfALinkWhichCanBeMadeAgain) {
  Connect();
  network_.CutLink("a", "b");
  network_.RunFor(milliseconds(1));
  ASSERT_EQ(a_.handler->closed.size(), 1u);
  ASSERT_EQ(b_.handler->closed.size(), 1u);
  EXPECT_EQ(a_.handler->closed[0].second.code(), StatusCode::kUnavailable);
  Dial();
  EXPECT_EQ(a_.handler->connected.size(), 2u);
}

TEST_F(MemoryNetworkTest, TellsOfAConnectionBeforeItsEndEvenWhenCutAtOnce) {
  ASSERT_TRUE(a_.transport->Listen("a:1").ok());
  b_.transport->Dial("a:1");
  ASSERT_TRUE(network_.RunUntil([&] { return !a_.handler->connected.empty(); }, milliseconds(9)));
  ASSERT_TRUE(b_.handler->connected.empty());  // the answer is on its way
  network_.CutLink("a", "b");
  ASSERT_TRUE(network_.RunUntil([&] { return !b_.handler->closed.empty(); }, milliseconds(9)));
  EXPECT_EQ(b_.handler->connected.size(), 1u);
}

TEST_F(MemoryNetworkTest, FreezesATransportWithItsTimersAndThawsInOrder) {
  Connect();
  std::vector<int> ran;
  a_.transport->PostAfter(milliseconds(2), [&] { ran.push_back(-1); });
  a_.handler->on_frame = [&](ConnectionId, const Frame& frame) { ran.push_back(frame.layer); };
  network_.Freeze("a");
  b_.transport->Send(at_b_, MapFrame(1, {}));
  network_.RunFor(milliseconds(5));
  b_.transport->Send(at_b_, MapFrame(2, {}));
  network_.RunFor(milliseconds(5));
  EXPECT_TRUE(ran.empty());
  network_.Thaw("a");
  network_.RunFor(milliseconds(0));
  EXPECT_EQ(ran, (std::vector<int>{1, -1, 2}));
}

TEST_F(MemoryNetworkTest, CutsAPeerThatTakesNoBytesForTooLong) {
  MemoryNetwork network({.limits = {.pending_bytes = 10'000}});
  Node a = Make(&network, "a");
  Node b = Make(&network, "b");
  ASSERT_TRUE(a.transport->Listen("a:1").ok());
  b.transport->Dial("a:1");
  network.RunFor(milliseconds(1));
  network.Freeze("a");
  for (int i = 0; i < 11; ++i) {
    b.transport->Send(b.handler->connected[0].id, MapFrame(1, std::vector<uint8_t>(1000)));
  }
  network.RunFor(milliseconds(1));
  ASSERT_EQ(b.handler->closed.size(), 1u);
  EXPECT_EQ(b.handler->closed[0].second.code(), StatusCode::kResourceExhausted);
  network.Thaw("a");
  network.RunFor(milliseconds(1));
  ASSERT_EQ(a.handler->closed.size(), 1u);
  EXPECT_EQ(a.handler->closed[0].second.code(), StatusCode::kUnavailable);
}

TEST_F(MemoryNetworkTest, KillsATransportAndRevivesItAsNew) {
  Connect();
  bool ran = false;
  a_.transport->PostAfter(milliseconds(5), [&] { ran = true; });
  network_.Kill("a");
  EXPECT_FALSE(a_.transport->Listen("a:1").ok());
  a_.transport->Post([&] { ran = true; });
  a_.transport->Send(at_a_, MapFrame(1, {}));
  b_.transport->Dial("a:1");
  network_.RunFor(milliseconds(10));
  EXPECT_FALSE(ran);
  EXPECT_TRUE(a_.handler->closed.empty());  // the dead hear nothing
  ASSERT_EQ(b_.handler->closed.size(), 1u);
  EXPECT_EQ(b_.handler->closed[0].second.code(), StatusCode::kUnavailable);
  EXPECT_TRUE(b_.handler->frames.empty());
  ASSERT_EQ(b_.handler->dial_failed.size(), 1u);

  network_.Revive("a");
  a_.transport->SetHandler(a_.handler.get());
  Connect();
  b_.transport->Send(at_b_, MapFrame(9, {}));
  network_.RunFor(milliseconds(1));
  EXPECT_EQ(Layers(*a_.handler), std::vector<int>{9});
}

TEST_F(MemoryNetworkTest, LetsAMachineVanishWithoutATrace) {
  Connect();
  network_.SetFaultBetween("a", "b", LinkFault::kDrop);
  network_.Kill("a");
  network_.RunFor(std::chrono::seconds(10));
  EXPECT_TRUE(b_.handler->closed.empty());
}

TEST_F(MemoryNetworkTest, ClosesAConnectionWhoseFrameIsDamaged) {
  Connect();
  network_.DamageNextFrame("b", "a");
  b_.transport->Send(at_b_, MapFrame(1, {1, 2, 3}));
  b_.transport->Send(at_b_, MapFrame(2, {1, 2, 3}));
  network_.RunFor(milliseconds(1));
  EXPECT_TRUE(a_.handler->frames.empty());
  ASSERT_EQ(a_.handler->closed.size(), 1u);
  EXPECT_EQ(a_.handler->closed[0].second.code(), StatusCode::kDataLoss);
  ASSERT_EQ(b_.handler->closed.size(), 1u);
  EXPECT_EQ(b_.handler->closed[0].second.code(), StatusCode::kUnavailable);
}

TEST_F(MemoryNetworkTest, CutsAConnectionOnWhichNoFrameComes) {
  ASSERT_TRUE(a_.transport->Listen("a:1").ok());
  b_.transport->Dial("a:1");
  network_.RunFor(milliseconds(1));
  b_.transport->Send(b_.handler->connected[0].id, MapFrame(1, {}));  // `a` says nothing
  network_.RunFor(std::chrono::seconds(6));
  ASSERT_EQ(b_.handler->closed.size(), 1u);
  EXPECT_EQ(b_.handler->closed[0].second.code(), StatusCode::kDeadlineExceeded);
  ASSERT_EQ(a_.handler->closed.size(), 1u);
  EXPECT_TRUE(a_.handler->closed[0].second.ok());
}

}  // namespace
}  // namespace braid::cluster
