// Property test: a coordinator under random events, its invariants checked after every step.
// A failure prints its seed; Run(seed) alone repeats it. Layer: cluster/core.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "braid/base/rng.h"
#include "braid/cluster/core/coordinator.h"
#include "braid/cluster/core/invariants.h"
#include "braid/control/rules.h"
#include "braid/control/test_network.h"

namespace braid::cluster {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr int kGroups = 4;
constexpr DeviceId kSelf{1};

// One group of 1 to 5 devices with shares, credits and limits drawn from the seed.
class RandomGroup {
 public:
  explicit RandomGroup(uint64_t seed)
      : rng_(seed),
        network_(control::MakeTestNetwork(kGroups)),
        controller_(&network_),
        options_{.default_deadline = milliseconds(rng_.Between(5, 200)),
                 .broken_link_penalty = milliseconds(rng_.Between(1, 100)),
                 .stall_penalty = milliseconds(rng_.Between(1, 50)),
                 .refusal_backoff = milliseconds(rng_.Between(1, 20)),
                 .max_in_flight = static_cast<int>(rng_.Between(1, 24))},
        core_(kSelf, RandomShare(), &controller_, options_, &network_) {
    const int64_t peers = rng_.Between(0, 4);
    for (int64_t p = 0; p < peers; ++p) {
      peers_.push_back({.id = DeviceId{static_cast<uint64_t>(p) + 2},
                        .incarnation = rng_.Next(),
                        .share = RandomShare(),
                        .credit = static_cast<int>(rng_.Between(0, 8))});
    }
  }

  void Step() {
    if (rng_.Below(2) == 0) now_ += microseconds(rng_.Between(0, 3000));
    switch (rng_.Below(14)) {
      case 0: {
        if (peers_.empty()) break;
        PeerInfo& peer = peers_[rng_.Below(peers_.size())];
        if (rng_.Below(3) == 0) peer.incarnation = rng_.Next();
        Note(core_.PeerUp(peer, now_));
        break;
      }
      case 1:
        if (rng_.Below(3) == 0) Note(core_.PeerDown(AnyDevice(), now_));
        break;
      case 2:
        if (rng_.Below(2) == 0) Note(core_.PeerSilent(AnyDevice(), now_));
        break;
      case 3:
        if (rng_.Below(4) == 0) {
          Note(core_.PeerStalled(AnyDevice(), now_));
        } else {
          Note(core_.PeerHeard(AnyDevice(), now_));
        }
        break;
      case 4:
        Note(core_.PeerMeasured(AnyDevice(), microseconds(rng_.Between(0, 20000)),
                                static_cast<int>(rng_.Between(-1, 40)),
                                static_cast<double>(rng_.Between(-1, 1000)) * 1e6, now_));
        break;
      case 5:
        Note(core_.SelfMeasured(static_cast<double>(rng_.Between(0, 1000)) * 1e6, now_));
        break;
      case 6:
        if (rng_.Below(4) == 0) Note(core_.Cancel(RequestId{rng_.Below(last_ + 2)}, now_));
        break;
      case 7:
        Fail();
        break;
      case 8:
      case 9:
        Finish();
        break;
      case 10:
        if (const auto tick = core_.coordinator().NextTick(); tick.has_value()) {
          if (rng_.Below(4) == 0) now_ = std::max(now_, *tick);
          Note(core_.Tick(now_));
        }
        break;
      default:
        Submit();
    }
  }

  // Lets everything finish: every request must end, with an answer wherever this device can give
  // one alone.
  void Drain() {
    Note(core_.Tick(now_));  // the last step may have let time pass and done nothing
    while (core_.coordinator().open_requests() > 0) {
      const auto tick = core_.coordinator().NextTick();
      ASSERT_TRUE(tick.has_value()) << "open requests, and nothing will wake the device";
      if (!core_.running().empty()) {
        const StartAttempt start = core_.running().begin()->second;
        Note(core_.AttemptFinished(start.request, start.attempt, now_));
      } else {
        ASSERT_GT(*tick, now_) << "the device would spin";
        now_ = *tick;
        Note(core_.Tick(now_));
      }
    }
    EXPECT_EQ(core_.answered() + core_.rejected(), core_.submitted());
  }

  const CheckedCoordinator& core() const { return core_; }
  int needless_rejects() const { return needless_rejects_; }

 private:
  GroupSet RandomShare() {
    return GroupSet(static_cast<uint32_t>(rng_.Between(1, (1 << kGroups) - 1)));
  }
  DeviceId AnyDevice() { return DeviceId{rng_.Below(peers_.size() + 3)}; }

  void Submit() {
    control::Constraints constraints;
    if (rng_.Below(4) == 0) {
      constraints.point = static_cast<int>(rng_.Below(network_.points.size() + 1));
    }
    if (rng_.Below(6) == 0) constraints.max_macs = rng_.Between(1, 200000);
    if (rng_.Below(6) == 0) constraints.min_accuracy = 0.9 + 0.05 * rng_.Uniform();
    constraints.strict = rng_.Below(4) == 0;
    std::optional<TimePoint> deadline;
    if (rng_.Below(2) == 0) deadline = now_ + microseconds(rng_.Between(-1000, 100000));
    const RequestId id{++last_};
    if (!constraints.point && !constraints.max_macs && !constraints.min_accuracy && !deadline) {
      easy_.insert(id);
    }
    Note(core_.Submit(id, constraints, deadline, now_));
  }

  // An attempt that runs, now and then one that does not.
  std::pair<RequestId, uint32_t> AnyAttempt() {
    if (core_.running().empty() || rng_.Below(8) == 0) {
      return {RequestId{rng_.Below(last_ + 2)}, static_cast<uint32_t>(rng_.Below(3))};
    }
    auto it = core_.running().begin();
    std::advance(it, static_cast<long>(rng_.Below(core_.running().size())));
    return {it->first, it->second.attempt};
  }
  void Finish() {
    const auto [request, attempt] = AnyAttempt();
    Note(core_.AttemptFinished(request, attempt, now_));
  }
  void Fail() {
    const auto [request, attempt] = AnyAttempt();
    DeviceId reporter = AnyDevice();
    DeviceId culprit = AnyDevice();
    const auto running = core_.running().find(request);
    if (running != core_.running().end() && rng_.Below(4) != 0) {
      const control::Placement& placement = running->second.placement;
      reporter = placement[rng_.Below(placement.size())].device;
      culprit = placement[rng_.Below(placement.size())].device;
    }
    Note(core_.AttemptFailed(request, attempt, static_cast<AttemptFailure>(rng_.Below(4)), reporter,
                             culprit, now_));
  }

  // A request that asks for nothing is rejected for its deadline or on being cancelled only: this
  // device can always answer it alone.
  void Note(const std::vector<Action>& actions) {
    for (const Action& action : actions) {
      const auto* reject = std::get_if<Reject>(&action);
      if (reject == nullptr || !easy_.contains(reject->request)) continue;
      const StatusCode code = reject->status.code();
      if (code != StatusCode::kDeadlineExceeded && code != StatusCode::kCancelled &&
          code != StatusCode::kUnavailable) {
        ++needless_rejects_;
      }
      // Unavailable comes at the deadline, where this device refused its own part at the last.
    }
  }

  Rng rng_;
  model::Network network_;
  control::RuleController controller_;
  CoordinatorOptions options_;
  CheckedCoordinator core_;
  std::vector<PeerInfo> peers_;
  std::set<RequestId> easy_;
  TimePoint now_{};
  uint64_t last_ = 0;
  int needless_rejects_ = 0;
};

TEST(RandomEventsTest, InvariantsHoldAfterEveryStep) {
  int answered = 0;
  for (uint64_t seed = 1; seed <= 120; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomGroup group(seed);
    for (int step = 0; step < 1500; ++step) {
      group.Step();
      ASSERT_TRUE(group.core().violations().empty())
          << "step " << step << ": " << group.core().violations().front();
    }
    group.Drain();
    ASSERT_TRUE(group.core().violations().empty()) << group.core().violations().front();
    ASSERT_EQ(group.needless_rejects(), 0);
    answered += group.core().answered();
  }
  EXPECT_GT(answered, 120 * 100) << "the events leave too little to be checked";
}

TEST(RandomEventsTest, TheSameSeedGivesTheSameRun) {
  RandomGroup first(7);
  RandomGroup second(7);
  for (int step = 0; step < 500; ++step) {
    first.Step();
    second.Step();
    ASSERT_EQ(first.core().answered(), second.core().answered());
    ASSERT_EQ(first.core().rejected(), second.core().rejected());
  }
}

}  // namespace
}  // namespace braid::cluster
