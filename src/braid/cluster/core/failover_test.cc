// Scenarios of the requester's state machine, each on a simulated clock. Layer: cluster/core.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "braid/cluster/core/coordinator.h"
#include "braid/cluster/core/invariants.h"
#include "braid/control/rules.h"
#include "braid/control/test_network.h"

namespace braid::cluster {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr DeviceId kSelf{1};
constexpr DeviceId kB{2};
constexpr DeviceId kC{3};
constexpr DeviceId kD{4};

// Four groups; the device under test carries group 0, B, C and D the next ones.
class FailoverTest : public ::testing::Test {
 protected:
  void Make(CoordinatorOptions options = {}) {
    options_ = options;
    core_.emplace(kSelf, GroupSet::Single(0), &controller_, options_, &network_);
  }
  void SetUp() override { Make(); }
  void TearDown() override { EXPECT_THAT(core_->violations(), IsEmpty()); }

  void Up(DeviceId device, int credit = 64, uint64_t incarnation = 1) {
    Handle(core_->PeerUp(
        {device, incarnation, GroupSet::Single(static_cast<int>(device) - 1), credit}, now_));
  }
  RequestId Submit(control::Constraints constraints = {},
                   std::optional<Duration> within = std::nullopt) {
    const RequestId id{++last_};
    std::optional<TimePoint> deadline;
    if (within.has_value()) deadline = now_ + *within;
    Handle(core_->Submit(id, constraints, deadline, now_));
    return id;
  }
  void Handle(const std::vector<Action>& actions) {
    aborted_.clear();
    for (const Action& action : actions) {
      if (const auto* abort = std::get_if<AbortAttempt>(&action)) aborted_.push_back(*abort);
      if (const auto* answer = std::get_if<Answer>(&action)) answers_[answer->request] = *answer;
      if (const auto* reject = std::get_if<Reject>(&action)) rejects_[reject->request] = *reject;
    }
  }
  void Finish(RequestId id) {
    Handle(core_->AttemptFinished(id, core_->running().at(id).attempt, now_));
  }
  void Fail(RequestId id, AttemptFailure failure, DeviceId reporter, DeviceId culprit) {
    Handle(core_->AttemptFailed(id, core_->running().at(id).attempt, failure, reporter, culprit,
                                now_));
  }
  void Advance(Duration by) {
    now_ += by;
    Handle(core_->Tick(now_));
  }
  bool Runs(RequestId id) const { return core_->running().contains(id); }
  std::string PointOf(RequestId id) const {
    return network_.points[static_cast<size_t>(core_->running().at(id).point)].name;
  }
  control::Constraints Point(const std::string& name) const {
    control::Constraints constraints;
    constraints.point = control::PointNamed(network_, name);
    return constraints;
  }

  const model::Network network_ = control::MakeTestNetwork(4);
  control::RuleController controller_{&network_};
  CoordinatorOptions options_;
  std::optional<CheckedCoordinator> core_;
  TimePoint now_{};
  uint64_t last_ = 0;
  std::vector<AbortAttempt> aborted_;  // by the last event
  std::map<RequestId, Answer> answers_;
  std::map<RequestId, Reject> rejects_;
};

TEST_F(FailoverTest, AnswersAloneWithoutPeers) {
  const RequestId id = Submit();
  EXPECT_EQ(PointOf(id), "g0");
  Finish(id);
  EXPECT_EQ(answers_.at(id).failovers, 0);
  EXPECT_THAT(answers_.at(id).devices, ElementsAre(kSelf));
  EXPECT_EQ(core_->coordinator().open_requests(), 0);
  EXPECT_EQ(core_->coordinator().NextTick(), std::nullopt);
}

TEST_F(FailoverTest, CombinesWithEveryPeerThatIsUp) {
  Up(kB);
  Up(kC);
  EXPECT_EQ(PointOf(Submit()), "g0+1+2");
}

TEST_F(FailoverTest, RerunsTheRequestWhenAPeerDies) {
  Up(kB);
  Up(kC);
  const RequestId id = Submit();
  Handle(core_->PeerDown(kB, now_));
  ASSERT_THAT(aborted_, SizeIs(1));
  EXPECT_THAT(aborted_[0].participants, ElementsAre(kC));
  EXPECT_EQ(PointOf(id), "g0+2");
  Finish(id);
  EXPECT_EQ(answers_.at(id).failovers, 1);
  EXPECT_EQ(answers_.at(id).attempt, 1u);
}

TEST_F(FailoverTest, RerunsTheRequestWhenAPeerFreezesAndUsesItAgainWhenHeard) {
  Up(kB);
  const RequestId id = Submit();
  Handle(core_->PeerSilent(kB, now_));
  ASSERT_THAT(aborted_, SizeIs(1));
  EXPECT_THAT(aborted_[0].participants, ElementsAre(kB)) << "it is connected and may thaw";
  EXPECT_EQ(PointOf(id), "g0");
  Handle(core_->PeerHeard(kB, now_));
  EXPECT_EQ(PointOf(id), "g0") << "a running attempt is not disturbed";
  EXPECT_EQ(PointOf(Submit()), "g0+1");
}

TEST_F(FailoverTest, SuspectsThePeerThatAnAttemptReportsAsSilent) {
  Up(kB);
  const RequestId first = Submit();
  const RequestId second = Submit();
  Fail(first, AttemptFailure::kPeerSilent, kSelf, kB);
  EXPECT_EQ(PointOf(first), "g0");
  EXPECT_EQ(PointOf(second), "g0");
  EXPECT_THAT(core_->coordinator().Devices(), SizeIs(1));
}

TEST_F(FailoverTest, UsesAPeerAgainInItsNextLife) {
  Up(kB);
  const RequestId id = Submit();
  Up(kB, 64, 2);
  ASSERT_THAT(aborted_, SizeIs(1));
  EXPECT_THAT(aborted_[0].participants, IsEmpty()) << "the former life is gone";
  EXPECT_EQ(PointOf(id), "g0+1");
  EXPECT_EQ(core_->running().at(id).attempt, 1u);
}

TEST_F(FailoverTest, KeepsRunningWhenAPeerOutsideTheAttemptDies) {
  Up(kB);
  const RequestId id = Submit(Point("g0"));
  Handle(core_->PeerDown(kB, now_));
  EXPECT_THAT(aborted_, IsEmpty());
  EXPECT_EQ(core_->running().at(id).attempt, 0u);
}

TEST_F(FailoverTest, KeepsAPairApartForNoLongerThanTheYoungerHasBeenHere) {
  Up(kC);
  Advance(std::chrono::seconds(5));
  Up(kB);
  const TimePoint up_since = now_;
  // At its age, so long: at least the refusal's 20 ms, at most a second.
  for (const auto& [age, apart] : {std::pair(milliseconds(0), options_.refusal_backoff),
                                   std::pair(milliseconds(100), Duration(milliseconds(100))),
                                   std::pair(milliseconds(300), Duration(milliseconds(300))),
                                   std::pair(milliseconds(4000), options_.broken_link_penalty)}) {
    Advance(up_since + age - now_);
    Up(kB);  // told again of the same life
    const RequestId id = Submit();
    EXPECT_EQ(PointOf(id), "g0+1+2");
    Fail(id, AttemptFailure::kBrokenLink, kC, kB);
    EXPECT_EQ(PointOf(id), "g0,1,2");
    EXPECT_EQ(core_->coordinator().NextTick(), now_ + apart);
    Finish(id);
  }
}

TEST_F(FailoverTest, ABrokenLinkIsForgottenWhenOneOfThePairComesBack) {
  Up(kB);
  Up(kC);
  Advance(options_.broken_link_penalty);
  const RequestId id = Submit();
  Fail(id, AttemptFailure::kBrokenLink, kB, kC);
  Finish(id);
  Handle(core_->PeerDown(kC, now_));
  Up(kC, 64, 2);
  EXPECT_EQ(PointOf(Submit()), "g0+1+2");
}

// C missed the maps of a device that froze before its requester noticed: that was no broken link.
TEST_F(FailoverTest, ABrokenLinkIsForgottenWhenASilentOneOfThePairIsHeard) {
  Up(kB);
  Up(kC);
  Advance(options_.broken_link_penalty);
  const RequestId id = Submit();
  Fail(id, AttemptFailure::kBrokenLink, kC, kB);
  Finish(id);
  Handle(core_->PeerSilent(kB, now_));
  Handle(core_->PeerHeard(kB, now_));
  EXPECT_EQ(PointOf(Submit()), "g0+1+2");
}

// While B stood still C came: the two meet only now.
TEST_F(FailoverTest, APeerIsAsYoungAsTheEndOfItsSilence) {
  Up(kB);
  Handle(core_->PeerSilent(kB, now_));
  Up(kC);
  Advance(std::chrono::seconds(5));
  Handle(core_->PeerHeard(kB, now_));
  Advance(milliseconds(50));
  const RequestId id = Submit();
  EXPECT_EQ(PointOf(id), "g0+1+2");
  Fail(id, AttemptFailure::kBrokenLink, kC, kB);
  EXPECT_EQ(core_->coordinator().NextTick(), now_ + milliseconds(50));
}

TEST_F(FailoverTest, KeepsABrokenPairApartUntilThePenaltyEnds) {
  Up(kB);
  Up(kC);
  Advance(options_.broken_link_penalty);
  const RequestId id = Submit();
  Fail(id, AttemptFailure::kBrokenLink, kB, kC);
  EXPECT_EQ(PointOf(id), "g0,1,2") << "the pair may add logits, which it does not exchange";
  EXPECT_EQ(core_->coordinator().NextTick(), now_ + options_.broken_link_penalty);
  Finish(id);
  Advance(options_.broken_link_penalty);
  EXPECT_EQ(PointOf(Submit()), "g0+1+2");
}

TEST_F(FailoverTest, DoesWithoutAPeerThatStallsAndTriesItLessAndLessOftenUntilItDelivers) {
  Up(kB);
  for (const int times : {1, 2, 4, 8, 16, 16}) {
    const RequestId id = Submit();
    EXPECT_EQ(PointOf(id), "g0+1");
    Handle(core_->PeerStalled(kB, now_));
    ASSERT_THAT(aborted_, SizeIs(1));
    EXPECT_THAT(aborted_[0].participants, ElementsAre(kB));
    EXPECT_EQ(PointOf(id), "g0");
    EXPECT_THAT(core_->coordinator().Devices(), SizeIs(1));
    Finish(id);
    EXPECT_EQ(core_->coordinator().NextTick(), now_ + times * options_.stall_penalty);
    Advance(times * options_.stall_penalty - milliseconds(1));
    const RequestId meanwhile = Submit();
    EXPECT_EQ(PointOf(meanwhile), "g0");
    Finish(meanwhile);
    Advance(milliseconds(1));
  }
  Finish(Submit());
  Submit();
  Handle(core_->PeerStalled(kB, now_));
  Advance(options_.stall_penalty);
  EXPECT_EQ(PointOf(Submit()), "g0+1");
}

TEST_F(FailoverTest, ARequestIsNotPlacedAgainOnAPeerThatStalledAndCameBackAtOnce) {
  Up(kB);
  Up(kC);
  const RequestId id = Submit();
  Handle(core_->PeerStalled(kB, now_));
  EXPECT_EQ(PointOf(id), "g0+2");
  Up(kB, 64, 2);
  Handle(core_->PeerDown(kC, now_));
  EXPECT_EQ(PointOf(id), "g0");
  EXPECT_EQ(PointOf(Submit()), "g0+1");
}

TEST_F(FailoverTest, DoesWithoutADeviceThatRefusesForThatRequestOnly) {
  Up(kB);
  const RequestId id = Submit();
  Fail(id, AttemptFailure::kPeerRefused, kB, kB);
  EXPECT_EQ(PointOf(id), "g0");
  EXPECT_EQ(PointOf(Submit()), "g0+1");
}

TEST_F(FailoverTest, AsksARefusingDeviceAgainWhenNoOtherCanRunTheRequest) {
  Up(kB);
  const RequestId id = Submit(Point("g0+1"));
  Fail(id, AttemptFailure::kPeerRefused, kB, kB);
  EXPECT_FALSE(Runs(id)) << "at once would be a busy loop";
  EXPECT_EQ(core_->coordinator().NextTick(), now_ + options_.refusal_backoff);
  Advance(options_.refusal_backoff);
  ASSERT_TRUE(Runs(id));
  Finish(id);
  EXPECT_EQ(answers_.at(id).failovers, 1);
}

TEST_F(FailoverTest, DoesWithoutADeviceWhoseDecisionsDiffer) {
  Up(kB);
  const RequestId id = Submit();
  Fail(id, AttemptFailure::kMismatch, kB, kSelf);
  EXPECT_EQ(PointOf(id), "g0");
}

TEST_F(FailoverTest, BelievesNoReportAboutDevicesOutsideTheAttempt) {
  Up(kB);
  Up(kC);
  Handle(core_->PeerDown(kC, now_));
  const RequestId id = Submit();
  ASSERT_EQ(PointOf(id), "g0+1");
  Up(kC);
  Fail(id, AttemptFailure::kPeerSilent, kB, kC);
  EXPECT_EQ(PointOf(id), "g0+2") << "the reporter is done without for this request";
  EXPECT_EQ(PointOf(Submit()), "g0+1+2") << "and nobody is suspected";
}

TEST_F(FailoverTest, IgnoresWhatStaleAttemptsReport) {
  Up(kB);
  const RequestId id = Submit();
  Handle(core_->PeerDown(kB, now_));
  Handle(core_->AttemptFinished(id, 0, now_));
  EXPECT_TRUE(answers_.empty());
  Handle(core_->AttemptFailed(id, 0, AttemptFailure::kPeerRefused, kSelf, kSelf, now_));
  EXPECT_EQ(core_->running().at(id).attempt, 1u);
  Finish(id);
  Handle(core_->AttemptFinished(id, 1, now_));
  EXPECT_EQ(core_->answered(), 1);
}

TEST_F(FailoverTest, RejectsAtTheDeadlineAndAbortsTheAttempt) {
  Up(kB);
  const RequestId id = Submit({}, milliseconds(50));
  EXPECT_EQ(core_->coordinator().NextTick(), now_ + milliseconds(50));
  Advance(milliseconds(49));
  EXPECT_TRUE(Runs(id));
  Advance(milliseconds(1));
  EXPECT_THAT(aborted_, SizeIs(1));
  EXPECT_EQ(rejects_.at(id).status.code(), StatusCode::kDeadlineExceeded);
}

TEST_F(FailoverTest, NeverAnswersPastTheDeadlineEvenWithoutATick) {
  const RequestId id = Submit({}, milliseconds(50));
  now_ += milliseconds(60);
  Handle(core_->AttemptFinished(id, 0, now_));
  EXPECT_EQ(rejects_.at(id).status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(answers_.empty());
}

TEST_F(FailoverTest, UsesTheDefaultDeadlineWhereNoneIsGiven) {
  Submit();
  EXPECT_EQ(core_->coordinator().NextTick(), now_ + options_.default_deadline);
}

TEST_F(FailoverTest, RejectsARequestThatComesTooLate) {
  const RequestId id = Submit({}, Duration::zero());
  EXPECT_EQ(rejects_.at(id).status.code(), StatusCode::kDeadlineExceeded);
}

TEST_F(FailoverTest, WaitsForADeviceThatCanRunTheRequest) {
  const RequestId id = Submit(Point("g0+1"));
  EXPECT_FALSE(Runs(id));
  Advance(milliseconds(100));
  Up(kB);
  EXPECT_TRUE(Runs(id));
}

TEST_F(FailoverTest, SaysWhyNothingCouldBePlacedUntilTheDeadline) {
  const RequestId id = Submit(Point("g0+1"), milliseconds(50));
  Advance(milliseconds(50));
  EXPECT_EQ(rejects_.at(id).status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(rejects_.at(id).status.message(), HasSubstr("g0+1"));
}

TEST_F(FailoverTest, RejectsAtOnceWhatCannotBecomeBetterByWaiting) {
  control::Constraints unknown;
  unknown.point = 10000;
  EXPECT_EQ(rejects_.at(Submit(unknown)).status.code(), StatusCode::kInvalidArgument);
  control::Constraints cheap;
  cheap.max_macs = 1;
  EXPECT_EQ(rejects_.at(Submit(cheap)).status.code(), StatusCode::kOutOfRange);
  control::Constraints strict;
  strict.min_accuracy = 0.99;
  strict.strict = true;
  EXPECT_EQ(rejects_.at(Submit(strict)).status.code(), StatusCode::kFailedPrecondition);
}

TEST_F(FailoverTest, CancelsRunningAndWaitingRequestsOnce) {
  Up(kB);
  const RequestId running = Submit();
  const RequestId waiting = Submit(Point("g2"));
  Handle(core_->Cancel(running, now_));
  EXPECT_THAT(aborted_, SizeIs(1));
  Handle(core_->Cancel(waiting, now_));
  Handle(core_->Cancel(waiting, now_));
  EXPECT_EQ(rejects_.at(running).status.code(), StatusCode::kCancelled);
  EXPECT_EQ(rejects_.at(waiting).status.code(), StatusCode::kCancelled);
  EXPECT_EQ(core_->rejected(), 2);
}

TEST_F(FailoverTest, StartsQueuedRequestsInOrderOfArrival) {
  Make({.max_in_flight = 2});
  const RequestId first = Submit();
  const RequestId second = Submit();
  const RequestId third = Submit();
  const RequestId fourth = Submit();
  EXPECT_FALSE(Runs(third));
  Finish(second);
  EXPECT_TRUE(Runs(third));
  EXPECT_FALSE(Runs(fourth));
  Finish(first);
  EXPECT_TRUE(Runs(fourth));
}

TEST_F(FailoverTest, RerunsBeforeItStartsWhatCameLater) {
  Make({.max_in_flight = 1});
  Up(kB);
  const RequestId first = Submit();
  const RequestId second = Submit();
  Handle(core_->PeerDown(kB, now_));
  EXPECT_TRUE(Runs(first));
  EXPECT_FALSE(Runs(second));
}

TEST_F(FailoverTest, RunsWithoutAPeerWhoseCreditIsUsed) {
  Up(kB, 1);
  const RequestId first = Submit();
  EXPECT_EQ(PointOf(first), "g0+1");
  const RequestId second = Submit();
  EXPECT_EQ(PointOf(second), "g0");
  Finish(first);
  EXPECT_EQ(PointOf(Submit()), "g0+1");
}

TEST_F(FailoverTest, WaitsForCreditWhereThePeerIsNeeded) {
  Up(kB, 1);
  const RequestId first = Submit(Point("g0+1"));
  const RequestId second = Submit(Point("g0+1"));
  const RequestId third = Submit(Point("g0"));
  EXPECT_FALSE(Runs(second));
  EXPECT_TRUE(Runs(third)) << "which needs no credit";
  Finish(first);
  EXPECT_TRUE(Runs(second));
}

TEST_F(FailoverTest, SurvivesTheLossOfAllPeersAtOnce) {
  Up(kB);
  Up(kC);
  Up(kD);
  std::vector<RequestId> ids;
  for (int i = 0; i < 8; ++i) ids.push_back(Submit());
  for (const DeviceId device : {kB, kC, kD}) Handle(core_->PeerDown(device, now_));
  for (const RequestId id : ids) {
    EXPECT_EQ(PointOf(id), "g0");
    Finish(id);
  }
  EXPECT_EQ(core_->answered(), 8);
}

}  // namespace
}  // namespace braid::cluster
