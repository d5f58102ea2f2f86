// What a device does with a peer that does not keep to the rules: the connection is closed, the
// device lives on. Stale and refused frames of honest peers are not punished.
#include <gtest/gtest.h>

#include <algorithm>

#include "braid/cluster/device/handshake.h"
#include "braid/cluster/device/logit_bounds.h"
#include "braid/cluster/sim/group.h"
#include "braid/cluster/sim/stranger.h"
#include "braid/runtime/testing/random_network.h"

namespace braid::cluster {
namespace {

using sim::Stranger;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Device d0 carries groups 0 and 1, the stranger says that it carries 2 and 3.
class HostilePeerTest : public testing::Test {
 protected:
  static constexpr uint64_t kLife = 77;
  static sim::GroupOptions OneDevice() {
    sim::GroupOptions options;
    options.shares = {GroupSet(0b0011)};
    options.device.credit = 2;
    return options;
  }

  const model::ModelFile model_ = sim::BraidedModel(11);
  const model::Network& network_ = model_.network;
  sim::Oracle oracle_{network_};
  sim::Group group_{model_, &oracle_, OneDevice()};
  Stranger stranger_{&group_.network(), "x"};
  uint32_t credit_ = 8;
  const DeviceId device_ = DeviceIdOf("d0");
  const DeviceId self_ = DeviceIdOf("x");

  cluster::Hello Hello() const {
    return {.version = kWireVersion,
            .group = "braid",
            .device = "x",
            .model_digest = model_.digest,
            .incarnation = kLife,
            .share = GroupSet(0b1100),
            .credit = credit_};
  }
  void Join() {
    group_.RunFor(milliseconds(10));
    stranger_.Say(FrameKind::kHello, EncodeHello(Hello()));
    group_.RunFor(milliseconds(10));
    ASSERT_TRUE(stranger_.open);
    ASSERT_NE(stranger_.Heard(FrameKind::kHello), nullptr);
    stranger_.heard.clear();
  }
  Frame Of(FrameKind kind, uint64_t request, std::vector<uint8_t> payload = {}) const {
    Frame frame;
    frame.kind = kind;
    frame.key = {
        .requester = static_cast<uint64_t>(self_), .incarnation = kLife, .request = request};
    frame.payload = std::move(payload);
    return frame;
  }
  // Both halves combined, asked for by the stranger.
  Start Combined() const {
    return {.point = static_cast<uint32_t>(model::FindPoint(network_, "g0-3")),
            .images = 1,
            .remaining_us = 1'000'000,
            .placement = {{device_, 0, GroupSet(0b0011)}, {self_, 0, GroupSet(0b1100)}},
            .pixels = runtime::testing::RandomPixels(1, network_, 1)};
  }
  Frame StartFrame(uint64_t request, const Start& start) const {
    return Of(FrameKind::kStart, request, EncodeStart(start));
  }
  // The first map of group 2 that the device waits for, with a byte in range everywhere.
  Frame MapFrame(uint64_t request) const {
    Frame frame = Of(FrameKind::kMap, request);
    frame.group = 2;
    frame.layer = FirstExchange();
    const model::Layer& layer = network_.layers[frame.layer];
    frame.payload.assign(static_cast<size_t>(layer.out_h * layer.out_w * layer.group_channels[2]),
                         1);
    return frame;
  }
  uint16_t FirstExchange() const {
    const auto model =
        runtime::PreparedModel::Prepare(network_, GroupSet(0b0011), kernels::Path::kScalar);
    const auto plan = runtime::Plan::Make(
        **model, {.groups = GroupSet(0b1111), .local = GroupSet(0b0011), .max_batch = 1});
    return static_cast<uint16_t>((*plan)->exchanges().front());
  }
  void ExpectClosed() {
    group_.RunFor(milliseconds(50));
    EXPECT_FALSE(stranger_.open);
    EXPECT_NE(stranger_.Heard(FrameKind::kBye), nullptr);
    // And the device answers as before.
    group_.Submit(0, std::nullopt, 1, seconds(1));
    group_.RunFor(seconds(2));
    EXPECT_EQ(group_.judge().complaints(), std::vector<std::string>());
    EXPECT_GE(group_.judge().answered(), 1);
  }
  void ExpectOpen() {
    group_.RunFor(milliseconds(50));
    EXPECT_TRUE(stranger_.open);
  }
};

TEST_F(HostilePeerTest, AFrameBeforeTheHelloClosesTheConnection) {
  group_.RunFor(milliseconds(10));
  stranger_.Say(StartFrame(1, Combined()));
  ExpectClosed();
}

TEST_F(HostilePeerTest, SilenceInsteadOfAHelloClosesTheConnection) {
  group_.RunFor(seconds(3));
  EXPECT_FALSE(stranger_.open);
}

TEST_F(HostilePeerTest, ASecondHelloClosesTheConnection) {
  Join();
  stranger_.Say(FrameKind::kHello, EncodeHello({.version = kWireVersion,
                                                .group = "braid",
                                                .device = "x",
                                                .model_digest = model_.digest,
                                                .incarnation = kLife,
                                                .share = GroupSet(0b1111),
                                                .credit = 8}));
  ExpectClosed();
}

TEST_F(HostilePeerTest, AStartInTheNameOfAnotherClosesTheConnection) {
  Join();
  Frame frame = StartFrame(1, Combined());
  frame.key.requester ^= 1;
  stranger_.Say(frame);
  ExpectClosed();
}

TEST_F(HostilePeerTest, AStartOfAnEarlierLifeClosesTheConnection) {
  Join();
  Frame frame = StartFrame(1, Combined());
  frame.key.incarnation = kLife - 1;
  stranger_.Say(frame);
  ExpectClosed();
}

TEST_F(HostilePeerTest, APlacementWithAGapClosesTheConnection) {
  Join();
  Start start = Combined();
  start.placement.pop_back();
  stranger_.Say(StartFrame(1, start));
  ExpectClosed();
}

TEST_F(HostilePeerTest, TheSameStartTwiceClosesTheConnection) {
  Join();
  stranger_.Say(StartFrame(1, Combined()));
  stranger_.Say(StartFrame(1, Combined()));
  ExpectClosed();
}

TEST_F(HostilePeerTest, MapsThatNoHonestDeviceSendsCloseTheConnection) {
  const std::vector<std::pair<const char*, std::function<void(Frame&)>>> damages = {
      {"size", [](Frame& map) { map.payload.pop_back(); }},
      {"group of another device", [](Frame& map) { map.group = 0; }},
      {"no such group", [](Frame& map) { map.group = 200; }},
      {"no such layer", [](Frame& map) { map.layer = 60000; }},
      {"the input", [](Frame& map) { map.layer = 0; }},
      {"no such term", [](Frame& map) { map.term = 1; }},
      {"out of range", [](Frame& map) { map.payload[0] = 0x80; }},
  };
  for (const auto& [what, damage] : damages) {
    for (const bool early : {false, true}) {
      SCOPED_TRACE(std::string(what) + (early ? ", before the start" : ""));
      sim::Group group(model_, &oracle_, OneDevice());
      Stranger stranger(&group.network(), "x");
      group.RunFor(milliseconds(10));
      stranger.Say(FrameKind::kHello, EncodeHello(Hello()));
      Frame map = MapFrame(1);
      damage(map);
      if (early) stranger.Say(map);
      stranger.Say(StartFrame(1, Combined()));
      group.RunFor(milliseconds(10));
      if (!early) {
        EXPECT_TRUE(stranger.open);
        stranger.Say(map);
      }
      Frame rest = MapFrame(1);  // what is waited for is looked at once it is there
      rest.group = 3;
      const model::Layer& layer = network_.layers[rest.layer];
      rest.payload.assign(static_cast<size_t>(layer.out_h * layer.out_w * layer.group_channels[3]),
                          1);
      stranger.Say(rest);
      group.RunFor(milliseconds(50));
      EXPECT_FALSE(stranger.open);
    }
  }
}

// What an operator reads of each of these.
TEST_F(HostilePeerTest, TheLogSaysWhoWasClosedAndWhy) {
  Start gap = Combined();
  gap.placement.pop_back();
  Frame other = StartFrame(1, Combined());
  other.key.requester ^= 1;
  Frame stale = StartFrame(1, Combined());
  stale.key.incarnation = kLife - 1;
  const std::vector<std::pair<std::string, std::vector<Frame>>> cases = {
      {"start: sent twice", {StartFrame(1, Combined()), StartFrame(1, Combined())}},  // replayed
      {"start: of another requester", {other}},
      {"start: of another requester", {stale}},
      {"start.placement: a group of a term is not placed", {StartFrame(1, gap)}},
      {"map: sent twice", {StartFrame(1, Combined()), MapFrame(1), MapFrame(1)}},
      {"said hello twice", {Of(FrameKind::kHello, 0, EncodeHello(Hello()))}},
  };
  for (const auto& [reason, frames] : cases) {
    SCOPED_TRACE(reason);
    std::string log;
    sim::GroupOptions options = OneDevice();
    options.device.log = [&log](const std::string& line) { log += line + "\n"; };
    sim::Group group(model_, &oracle_, options);
    Stranger stranger(&group.network(), "x");
    group.RunFor(milliseconds(10));
    stranger.Say(FrameKind::kHello, EncodeHello(Hello()));
    group.RunFor(milliseconds(10));
    for (const Frame& frame : frames) {
      stranger.Say(frame);
      group.RunFor(milliseconds(10));
    }
    group.RunFor(milliseconds(50));
    EXPECT_FALSE(stranger.open);
    EXPECT_NE(log.find("refused 'x': " + reason), std::string::npos) << log;
  }
}

TEST_F(HostilePeerTest, TheSameMapTwiceClosesTheConnection) {
  Join();
  stranger_.Say(StartFrame(1, Combined()));
  stranger_.Say(MapFrame(1));
  ExpectOpen();
  stranger_.Say(MapFrame(1));
  ExpectClosed();
}

TEST_F(HostilePeerTest, LogitsThatTheWeightsCannotGiveCloseTheConnection) {
  Join();

  group_.Submit(0, model::FindPoint(network_, "g0+1,2+3"), 1, seconds(1));
  group_.RunFor(milliseconds(10));
  const Frame* start = stranger_.Heard(FrameKind::kStart);
  ASSERT_NE(start, nullptr);
  Frame logits;
  logits.kind = FrameKind::kLogits;
  logits.key = start->key;
  logits.term = 1;
  const std::vector<int32_t> sums(network_.labels.size(), 1 << 30);
  logits.payload = EncodeLogits(sums);
  stranger_.Say(logits);
  ExpectClosed();
}

TEST_F(HostilePeerTest, LogitsOfATermThatItDoesNotOweCloseTheConnection) {
  Join();
  group_.Submit(0, model::FindPoint(network_, "g0+1,2+3"), 1, seconds(1));
  group_.RunFor(milliseconds(10));
  const Frame* start = stranger_.Heard(FrameKind::kStart);
  ASSERT_NE(start, nullptr);
  Frame logits;
  logits.kind = FrameKind::kLogits;
  logits.key = start->key;
  logits.term = 0;
  logits.payload = EncodeLogits(std::vector<int32_t>(network_.labels.size(), 0));
  stranger_.Say(logits);
  ExpectClosed();
}

TEST_F(HostilePeerTest, AReportAgainstADeviceOutsideTheAttemptClosesTheConnection) {
  Join();
  group_.Submit(0, model::FindPoint(network_, "g0-3"), 1, seconds(1));
  group_.RunFor(milliseconds(10));
  const Frame* start = stranger_.Heard(FrameKind::kStart);
  ASSERT_NE(start, nullptr);
  Frame failed;
  failed.kind = FrameKind::kFailed;
  failed.key = start->key;
  failed.payload = EncodeFailed({.failure = static_cast<uint8_t>(AttemptFailure::kBrokenLink),
                                 .culprit = 12345,
                                 .reason = "it was them"});
  stranger_.Say(failed);
  ExpectClosed();
}

TEST_F(HostilePeerTest, LogitsOfAnAttemptThatIsOverAreDropped) {
  Join();
  Frame logits = Of(FrameKind::kLogits, 5, EncodeLogits(std::vector<int32_t>(5, 0)));
  logits.key.requester = static_cast<uint64_t>(device_);
  logits.key.incarnation = 1;
  stranger_.Say(logits);
  ExpectOpen();
}

TEST_F(HostilePeerTest, AStartBeyondTheCreditIsRefusedAndNothingElse) {
  Join();
  for (uint64_t request = 1; request <= 3; ++request) {
    stranger_.Say(StartFrame(request, Combined()));
  }
  ExpectOpen();
  const Frame* failed = stranger_.Heard(FrameKind::kFailed);
  ASSERT_NE(failed, nullptr);
  EXPECT_EQ(failed->key.request, 3u);
  EXPECT_EQ(DecodeFailed(failed->payload)->failure,
            static_cast<uint8_t>(AttemptFailure::kPeerRefused));
  // An abort gives the credit back.
  stranger_.Say(Of(FrameKind::kAbort, 1));
  stranger_.heard.clear();
  stranger_.Say(StartFrame(4, Combined()));
  ExpectOpen();
  EXPECT_EQ(stranger_.Heard(FrameKind::kFailed), nullptr);
}

TEST_F(HostilePeerTest, AParticipantThatIsNotHereIsReportedAtOnce) {
  Join();
  Start start = Combined();
  start.placement = {{device_, 0, GroupSet(0b0011)},
                     {self_, 0, GroupSet(0b0100)},
                     {DeviceIdOf("nobody"), 0, GroupSet(0b1000)}};
  stranger_.Say(StartFrame(1, start));
  ExpectOpen();
  const Frame* frame = stranger_.Heard(FrameKind::kFailed);
  ASSERT_NE(frame, nullptr);
  const auto failed = DecodeFailed(frame->payload);
  EXPECT_EQ(failed->failure, static_cast<uint8_t>(AttemptFailure::kBrokenLink));
  EXPECT_EQ(failed->culprit, static_cast<uint64_t>(DeviceIdOf("nobody")));
}

TEST_F(HostilePeerTest, AnAbortThatOvertakesItsStartEndsTheAttempt) {
  Join();
  stranger_.Say(Of(FrameKind::kAbort, 1));
  stranger_.Say(StartFrame(1, Combined()));
  ExpectOpen();
  EXPECT_EQ(stranger_.Heard(FrameKind::kMap), nullptr);
}

TEST_F(HostilePeerTest, AMapThatDoesNotComeIsReportedWithItsLayer) {
  Join();
  stranger_.Say(StartFrame(1, Combined()));
  group_.RunFor(milliseconds(400));
  EXPECT_TRUE(stranger_.open);
  const Frame* frame = stranger_.Heard(FrameKind::kFailed);
  ASSERT_NE(frame, nullptr);
  EXPECT_EQ(frame->layer, FirstExchange());
  const auto failed = DecodeFailed(frame->payload);
  EXPECT_EQ(failed->failure, static_cast<uint8_t>(AttemptFailure::kBrokenLink));
  EXPECT_EQ(failed->culprit, static_cast<uint64_t>(self_));
}

TEST_F(HostilePeerTest, AnAttemptPastItsDeadlineIsDroppedByTheParticipant) {
  Join();
  Start start = Combined();
  start.remaining_us = 100'000;
  stranger_.Say(StartFrame(1, start));
  stranger_.Say(StartFrame(2, start));
  group_.RunFor(milliseconds(200));
  stranger_.heard.clear();
  stranger_.Say(StartFrame(3, start));  // there is credit again
  ExpectOpen();
  EXPECT_EQ(stranger_.Heard(FrameKind::kFailed), nullptr);
  EXPECT_NE(stranger_.Heard(FrameKind::kMap), nullptr);
}

// ---- a member that says that it is busy and never delivers ----

// Device and member for 20 seconds, a request every 10 ms; the member says that it takes any number.
class StallingPeerTest : public HostilePeerTest {
 protected:
  void Load(Duration deadline) {
    credit_ = 1000;
    Join();
    for (int i = 0; i < 2000; ++i) {
      group_.Submit(0, std::nullopt, 1, deadline);
      group_.RunFor(milliseconds(10));
    }
    group_.RunFor(seconds(1));
    EXPECT_TRUE(stranger_.open);
  }
  int Starts() const {
    return static_cast<int>(std::ranges::count(stranger_.heard, FrameKind::kStart, &Frame::kind));
  }
};

TEST_F(StallingPeerTest, CostsNoRequestThatHasTheUsualTime) {
  Load(seconds(1));
  EXPECT_EQ(group_.judge().complaints(), std::vector<std::string>());
  EXPECT_EQ(group_.judge().answered(), 2000);
  // Found out, and asked again less and less often: after 1, 2, 4 and 8 seconds.
  EXPECT_GT(Starts(), 0);
  EXPECT_LT(Starts(), 180);
}

TEST_F(StallingPeerTest, IsFoundOutByRequestsThatAreTooShortForAnotherAttempt) {
  Load(milliseconds(100));
  const auto lost = group_.judge().complaints().size();  // of 2000
  EXPECT_GT(lost, 0u);
  EXPECT_LT(lost, 100u);
  EXPECT_EQ(group_.judge().answered(), 2000 - static_cast<int>(lost));
}

TEST_F(StallingPeerTest, IsNamedInTheReportAndNotUsable) {
  Join();
  group_.Submit(0, std::nullopt, 1, seconds(1));
  group_.RunFor(milliseconds(900));
  std::vector<Device::PeerReport> peers;
  group_.device(0).Report([&peers](auto report) { peers = std::move(report); });
  group_.RunFor(milliseconds(1));
  ASSERT_EQ(peers.size(), 1u);
  EXPECT_EQ(peers[0].stalls, 1);
  EXPECT_FALSE(peers[0].usable);
  group_.RunFor(seconds(1));
  group_.device(0).Report([&peers](auto report) { peers = std::move(report); });
  group_.RunFor(milliseconds(1));
  EXPECT_TRUE(peers[0].usable);  // tried again
}

}  // namespace
}  // namespace braid::cluster
