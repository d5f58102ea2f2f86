// The emulated link: what passes, what waits, what breaks. Times are asserted as lower bounds only.
#include "braid/cluster/link/link_emulator.h"

#include <gtest/gtest.h>

#include "braid/cluster/link/transport_fixture.h"

namespace braid::cluster {
namespace {

using std::chrono::milliseconds;

class LinkEmulatorTest : public ::testing::Test {
 protected:
  // `a` listens; `b` dials it through the link.
  void Connect(LinkSettings forward, LinkSettings back) {
    Result<std::unique_ptr<LinkEmulator>> made =
        LinkEmulator::Create(*a_.transport->Listen("127.0.0.1:0"), forward, back);
    ASSERT_TRUE(made.ok()) << made.status().ToString();
    link_ = std::move(*made);
    Dial();
  }
  void Dial() {
    const size_t before = fabric_.Look([this] { return b_.handler->connected.size(); });
    b_.transport->Dial(link_->address());
    ASSERT_TRUE(Settle([&] {
      return b_.handler->connected.size() > before &&
             a_.handler->connected.size() == b_.handler->connected.size();
    }));
    at_b_ = b_.handler->connected.back().id;
  }
  bool Settle(const std::function<bool()>& done) { return fabric_.Settle(done); }
  // Sends a frame there and back; the time it took.
  Duration RoundTrip(size_t bytes) {
    const size_t before = fabric_.Look([this] { return b_.handler->frames.size(); });
    const TimePoint start = SystemClock().Now();
    b_.transport->Send(at_b_, MapFrame(1, std::vector<uint8_t>(bytes)));
    EXPECT_TRUE(Settle([&] { return b_.handler->frames.size() == before + 1; }));
    return SystemClock().Now() - start;
  }

  TcpFabric fabric_;
  Station a_ = fabric_.Make();
  Station b_ = fabric_.Make();
  std::unique_ptr<LinkEmulator> link_;
  ConnectionId at_b_{};
};

TEST_F(LinkEmulatorTest, PassesBytesUnchanged) {
  a_.handler->echo = true;
  Connect({}, {});
  std::vector<uint8_t> payload(3'000'000);
  for (size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<uint8_t>(i * 7 + i / 251);
  b_.transport->Send(at_b_, MapFrame(1, payload));
  ASSERT_TRUE(Settle([&] { return b_.handler->frames.size() == 1; }));
  EXPECT_EQ(b_.handler->frames[0].second.payload, payload);
  RoundTrip(1);  // the link counts after it has written: another frame comes after the count
  const LinkEmulator::Traffic traffic = link_->traffic();
  EXPECT_GE(traffic.forward_bytes, 3'000'000);
  EXPECT_GE(traffic.back_bytes, 3'000'000);
}

TEST_F(LinkEmulatorTest, TakesAtLeastItsDelayEachWay) {
  a_.handler->echo = true;
  Connect({.delay = milliseconds(8)}, {.delay = milliseconds(4)});
  for (int i = 0; i < 3; ++i) EXPECT_GE(RoundTrip(100), milliseconds(12));
  link_->Set({.delay = milliseconds(20)}, {});
  RoundTrip(1);  // behind the change
  EXPECT_GE(RoundTrip(1), milliseconds(20));
}

TEST_F(LinkEmulatorTest, TakesAtLeastTheTimeOfItsRate) {
  a_.handler->echo = true;
  Connect({.delay = {}, .bits_per_second = 10'000'000}, {});
  EXPECT_GE(RoundTrip(50'000), milliseconds(40));  // 400,000 bits
}

TEST_F(LinkEmulatorTest, SharesItsRateAmongConnections) {
  a_.handler->echo = true;
  Connect({.delay = {}, .bits_per_second = 10'000'000}, {});
  const ConnectionId first = at_b_;
  Dial();
  const TimePoint start = SystemClock().Now();
  b_.transport->Send(first, MapFrame(1, std::vector<uint8_t>(25'000)));
  b_.transport->Send(at_b_, MapFrame(1, std::vector<uint8_t>(25'000)));
  ASSERT_TRUE(Settle([&] { return b_.handler->frames.size() == 2; }));
  EXPECT_GE(SystemClock().Now() - start, milliseconds(40));
}

TEST_F(LinkEmulatorTest, HoldsEverythingWhileFrozen) {
  Connect({}, {});
  b_.transport->Send(at_b_, MapFrame(1, {}));
  ASSERT_TRUE(Settle([&] { return a_.handler->frames.size() == 1; }));
  link_->SetFrozen(true);
  // The switch is a message to the link's thread: give it and the frames time to do wrong.
  bool passed = false;
  b_.transport->PostAfter(milliseconds(50), [this] {
    for (uint16_t i = 2; i < 5; ++i) b_.transport->Send(at_b_, MapFrame(i, {}));
    b_.transport->Close(at_b_, "enough");
  });
  b_.transport->PostAfter(milliseconds(150), [&] {
    const std::lock_guard lock(fabric_.signal()->mutex);
    passed = true;
    fabric_.signal()->changed.notify_all();
  });
  ASSERT_TRUE(Settle([&] { return passed; }));
  fabric_.Look([this] {
    EXPECT_EQ(a_.handler->frames.size(), 1u);
    EXPECT_TRUE(a_.handler->closed.empty());
    return 0;
  });
  link_->SetFrozen(false);
  ASSERT_TRUE(Settle([&] { return !a_.handler->closed.empty(); }));
  EXPECT_EQ(a_.handler->frames.size(), 4u);
  EXPECT_TRUE(a_.handler->closed[0].second.ok()) << a_.handler->closed[0].second.ToString();
}

TEST_F(LinkEmulatorTest, HoldsOneDirectionAndPassesTheOther) {
  Connect({}, {});
  const ConnectionId at_a = a_.handler->connected.back().id;
  link_->SetFrozen(/*forward=*/true, /*back=*/false);
  // The switch is a message to the link's thread: give it time to come into force.
  b_.transport->PostAfter(milliseconds(50), [this] { b_.transport->Send(at_b_, MapFrame(1, {})); });
  a_.transport->PostAfter(milliseconds(100), [this, at_a] {
    for (uint16_t i = 0; i < 3; ++i) a_.transport->Send(at_a, MapFrame(i, {}));
  });
  ASSERT_TRUE(Settle([&] { return b_.handler->frames.size() == 3; }));
  EXPECT_EQ(fabric_.Look([this] { return a_.handler->frames.size(); }), 0u);
  link_->SetFrozen(false);
  ASSERT_TRUE(Settle([&] { return a_.handler->frames.size() == 1; }));
}

TEST_F(LinkEmulatorTest, SendsLostSegmentsAgainLateAndInOrder) {
  a_.handler->echo = true;
  Connect({.delay = {}, .bits_per_second = 0, .loss = 1}, {});
  EXPECT_GE(RoundTrip(1), kRetransmission);
  link_->Set({.delay = {}, .bits_per_second = 0, .loss = 0.3}, {});
  const size_t before = fabric_.Look([this] { return a_.handler->frames.size(); });
  for (uint16_t i = 0; i < 20; ++i) b_.transport->Send(at_b_, MapFrame(i, {}));
  ASSERT_TRUE(Settle([&] { return a_.handler->frames.size() == before + 20; }));
  for (uint16_t i = 0; i < 20; ++i) {
    EXPECT_EQ(a_.handler->frames[before + i].second.layer, i);
  }
}

TEST_F(LinkEmulatorTest, ResetsConnectionsWhileCutAndPassesThemWhenRestored) {
  Connect({}, {});
  link_->Cut();
  ASSERT_TRUE(Settle([&] { return !a_.handler->closed.empty() && !b_.handler->closed.empty(); }));
  EXPECT_EQ(a_.handler->closed[0].second.code(), StatusCode::kUnavailable);
  EXPECT_EQ(b_.handler->closed[0].second.code(), StatusCode::kUnavailable);
  // A connection can begin, since the port is still there, but it is reset at once; depending on
  // when the reset comes, that is a failed dial or a closed connection.
  b_.transport->Dial(link_->address());
  ASSERT_TRUE(
      Settle([&] { return b_.handler->closed.size() + b_.handler->dial_failed.size() == 2; }));
  EXPECT_EQ(a_.handler->connected.size(), 1u);
  link_->Restore();
  const size_t before = fabric_.Look([this] { return b_.handler->connected.size(); });
  b_.transport->Dial(link_->address());
  ASSERT_TRUE(Settle([&] {
    return b_.handler->connected.size() == before + 1 && a_.handler->connected.size() == 2;
  }));
}

TEST_F(LinkEmulatorTest, ResetsAConnectionWhoseTargetIsGone) {
  const std::string target = *a_.transport->Listen("127.0.0.1:0");
  a_.Destroy();
  auto link = LinkEmulator::Create(target);
  ASSERT_TRUE(link.ok());
  b_.transport->Dial((*link)->address());
  ASSERT_TRUE(
      Settle([&] { return b_.handler->closed.size() + b_.handler->dial_failed.size() == 1; }));
}

TEST_F(LinkEmulatorTest, RefusesSettingsThatMakeNoSense) {
  EXPECT_EQ(LinkEmulator::Create("127.0.0.1:1", {.delay = milliseconds(-1)}).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(
      LinkEmulator::Create("127.0.0.1:1", {.delay = {}, .bits_per_second = -1}).status().code(),
      StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace braid::cluster
