// The benchmarks measure what they say: outputs are right, times come from the clock, networks are
// valid. No test here depends on how fast anything is.
#include <gtest/gtest.h>

#include <set>

#include "braid/bench/contender.h"
#include "braid/bench/ladder.h"
#include "braid/bench/networks.h"
#include "braid/bench/rounds.h"
#include "braid/bench/runner.h"
#include "braid/model/file.h"

namespace braid::bench {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(KernelCaseTest, NamesAreUniqueAndSizesAgree) {
  std::set<std::string> names;
  for (const KernelCase& c : AllCases()) {
    EXPECT_TRUE(names.insert(c.name()).second) << c.name();
    if (c.convolution()) {
      EXPECT_EQ(c.m, c.out_side() * c.out_side());
      EXPECT_EQ(c.k, c.depthwise ? 9 : 9 * c.channels());
    }
  }
  EXPECT_EQ(names.size(), 47u);
}

// Small cases of every set; the reference of the large ones takes seconds.
TEST(BraidKernelsTest, OutputsEqualTheReferenceOnEveryPath) {
  int checked = 0;
  for (const KernelCase& c : AllCases()) {
    if (c.operations() > 6e6) continue;
    for (const ElementKind kind : {ElementKind::kU7, ElementKind::kS8}) {
      const Problem problem = MakeProblem(c, kind, 7);
      for (const kernels::Path path : kernels::SupportedPaths()) {
        const auto contender = BraidLibrary().make(problem, path);
        ASSERT_TRUE(contender.ok()) << contender.status().ToString();
        (*contender)->Run();
        const Status status = CheckOutput(problem, **contender);
        EXPECT_TRUE(status.ok()) << c.name() << " " << kernels::PathName(path) << ": "
                                 << status.ToString();
        ++checked;
      }
    }
  }
  EXPECT_GE(checked, 20);
}

TEST(LadderTest, EveryStepGivesTheReferencesOutput) {
  for (const KernelCase& c :
       {KernelCase{.set = CaseSet::kThin, .m = 30, .n = 20, .k = 36},
        KernelCase{.set = CaseSet::kConvolution, .m = 64, .n = 16, .k = 144, .side = 8}}) {
    const Problem problem = MakeProblem(c, ElementKind::kU7, 7);
    const auto steps = MakeLadder(problem);
    ASSERT_TRUE(steps.ok()) << steps.status().ToString();
    EXPECT_GE(steps->size(), 3u);
    for (const LadderStep& step : *steps) {
      step.contender->Run();
      const Status status = CheckOutput(problem, *step.contender);
      EXPECT_TRUE(status.ok()) << c.name() << ", " << step.name << ": " << status.ToString();
    }
  }
}

TEST(BraidKernelsTest, AWrongOutputIsFound) {
  Problem problem = MakeProblem(AllCases().back(), ElementKind::kU7, 7);
  const auto contender = BraidLibrary().make(problem, kernels::Path::kScalar);
  (*contender)->Run();
  EXPECT_TRUE(CheckOutput(problem, **contender).ok());
  problem.expected[5] ^= 1;
  EXPECT_EQ(CheckOutput(problem, **contender).code(), StatusCode::kDataLoss);
}

// Libraries that this build found agree with the reference too; absent ones say why.
TEST(LibraryTest, ComputesTheSameOrIsAbsentWithAReason) {
  const KernelCase c = {.set = CaseSet::kThin, .m = 30, .n = 16, .k = 144};
  const Problem problem = MakeProblem(c, ElementKind::kU7, 7);
  for (const Library& library :
       {FbgemmLibrary(false), OnednnLibrary(false), OnednnFloatLibrary(false)}) {
    EXPECT_NE(library.present(), !library.why_absent.empty()) << library.name;
    if (!library.present()) continue;
    const auto contender = library.make(problem, kernels::BestPath());
    ASSERT_TRUE(contender.ok()) << contender.status().ToString();
    (*contender)->Run();
    EXPECT_TRUE(CheckOutput(problem, **contender).ok()) << library.name;
  }
}

TEST(RoundsTest, TimesAreThoseOfTheClock) {
  ManualClock clock;
  int runs_a = 0, runs_b = 0;
  const auto a = [&] { ++runs_a, clock.Advance(microseconds(10)); };
  const auto b = [&] { ++runs_b, clock.Advance(microseconds(25)); };
  const auto times = TimeInTurn({a, b}, clock, {3, milliseconds(6)});
  ASSERT_EQ(times.size(), 2u);
  ASSERT_EQ(times[0].least_ns.size(), 3u);
  EXPECT_DOUBLE_EQ(times[0].Best(), 10'000);
  EXPECT_DOUBLE_EQ(times[1].Median(), 25'000);
  EXPECT_DOUBLE_EQ(SpeedRatio(times[0], times[1]).median, 2.5);
  EXPECT_GE(runs_a * 10, 3 * 6000);
  EXPECT_GE(runs_b * 25, 3 * 6000);
}

TEST(RoundsTest, SpreadIsMedianAndEnds) {
  const Spread odd = SpreadOf({3, 1, 2});
  EXPECT_EQ(odd.median, 2);
  EXPECT_EQ(odd.least, 1);
  EXPECT_EQ(odd.greatest, 3);
  EXPECT_EQ(SpreadOf({4, 1, 2, 3}).median, 2.5);
}

TEST(NetworksTest, RandomResnet20IsValidAndRuns) {
  const auto network = RandomResnet20(3);
  ASSERT_TRUE(network.ok()) << network.status().ToString();
  EXPECT_TRUE(model::Validate(*network).ok());
  const model::OperatingPoint& point = network->points.front();
  int64_t macs = 0;
  for (int i = 0; i < static_cast<int>(network->layers.size()); ++i) {
    macs += LayerMacs(*network, GroupSet::First(1), i);
  }
  EXPECT_EQ(macs, point.macs_worst);
  const auto runner = Runner::Make(*network, point, 2, 2);
  ASSERT_TRUE(runner.ok()) << runner.status().ToString();
  (*runner)->Run();
  const std::vector<double> times = (*runner)->LayerTimes();
  EXPECT_EQ(times.size(), network->layers.size());
  EXPECT_GT(times[1], 0);
}

}  // namespace
}  // namespace braid::bench
