// Many seeds of a simulated group under load and faults: every request is answered exactly once,
// within its deadline, with the bits of the operating point that the answer names.
#include <gtest/gtest.h>

#include <cstdlib>

#include "braid/cluster/sim/group.h"
#include "braid/cluster/sim/weather.h"

namespace braid::cluster::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// More seeds by hand: BRAID_SIM_SEEDS=1000 cluster_sim_test, one of them by BRAID_SIM_FIRST=77
// BRAID_SIM_SEEDS=1.
uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::vector<GroupSet> RandomShares(Rng& rng) {
  const int devices = static_cast<int>(rng.Between(2, 4));
  std::vector<GroupSet> shares(static_cast<size_t>(devices));
  // Every device can answer alone; together they have every group.
  for (size_t i = 0; i < 4; ++i)
    shares[i % shares.size()] = shares[i % shares.size()].With(static_cast<int>(i));
  if (rng.Below(3) == 0) {  // overlapping shares
    for (GroupSet& share : shares) share = share.With(static_cast<int>(rng.Below(4)));
  }
  return shares;
}

class StormTest : public testing::Test {
 protected:
  const model::ModelFile model_ = BraidedModel(11);
  Oracle oracle_{model_.network};
  int requests_ = 0, answered_ = 0, failed_ = 0, faults_ = 0, combined_ = 0, failovers_ = 0;
  Duration worst_{};

  void Storm(uint64_t seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    Group group(model_, &oracle_, {.seed = seed, .shares = RandomShares(rng)});
    group.RunFor(milliseconds(300));
    Weather weather(&group, {.seed = seed});
    const int points = static_cast<int>(model_.network.points.size());
    const TimePoint end = group.Now() + seconds(4);
    int asked = 0;
    while (group.Now() < end) {
      weather.Blow();
      const int device = static_cast<int>(rng.Below(static_cast<uint64_t>(group.size())));
      if (group.alive(device)) {
        std::optional<int> point;
        if (rng.Below(4) == 0) point = static_cast<int>(rng.Below(static_cast<uint64_t>(points)));
        const int burst = rng.Below(10) == 0 ? 20 : 1;
        for (int i = 0; i < burst; ++i, ++asked) {
          group.Submit(device, point, static_cast<int>(rng.Between(1, 3)), seconds(1));
        }
      }
      const Duration pause{rng.Between(0, Duration(milliseconds(30)).count())};
      group.RunFor(std::min(pause, std::max(Duration{1}, weather.next() - group.Now())));
    }
    weather.Clear();
    group.RunFor(seconds(5));
    EXPECT_EQ(group.judge().open(), 0);
    // Calm again: whoever was restarted or cut off is used, by everybody.
    const int before = group.judge().answered();
    const int whole = model::FindPoint(model_.network, "g0-3");
    const int added = model::FindPoint(model_.network, "g0,1,2,3");
    for (int device = 0; device < group.size(); ++device) {
      group.Submit(device, whole, 1, seconds(1));
      group.Submit(device, added, 1, seconds(1));
    }
    group.RunFor(seconds(2));
    EXPECT_EQ(group.judge().answered() - before, 2 * group.size()) << "not all devices are back";
    EXPECT_EQ(group.judge().open(), 0);
    EXPECT_EQ(group.judge().answered() + group.judge().failed(), asked + 2 * group.size());
    EXPECT_EQ(group.judge().complaints(), std::vector<std::string>());
    if (HasFailure()) {
      for (const std::string& line : weather.diary()) GTEST_LOG_(INFO) << line;
    }
    requests_ += asked;
    answered_ += group.judge().answered();
    failed_ += group.judge().failed();
    failovers_ += group.judge().failovers();
    combined_ += group.judge().combined();
    faults_ += weather.faults();
    worst_ = std::max(worst_, group.judge().worst());
  }
};

TEST_F(StormTest, NoRequestFailsWhileItsRequesterLivesAndNoAnswerIsWrong) {
  const uint64_t first = FromEnvironment("BRAID_SIM_FIRST", 1);
  const uint64_t seeds = FromEnvironment("BRAID_SIM_SEEDS", 20);
  for (uint64_t seed = first; seed < first + seeds && !HasFailure(); ++seed) Storm(seed);
  GTEST_LOG_(INFO) << "seeds " << first << " to " << first + seeds - 1 << ": " << requests_
                   << " requests, " << answered_ << " answered (" << combined_ << " by several), "
                   << failed_ << " pinned or of dead requesters failed, " << failovers_
                   << " failovers, " << faults_ << " faults, worst answer after "
                   << worst_ / milliseconds(1) << " ms";
}

}  // namespace
}  // namespace braid::cluster::sim
