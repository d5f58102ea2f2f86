// What a client decides while its endpoints fail, in simulated time.
#include "braid/client/call_plan_testing.h"

namespace braid::client {
namespace {

TEST(CallPlanTest, LosesNothingWhileOneEndpointWorksWhateverTheOthersDo) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ClientOptions options = Endpoints(3);
    options.hedge = seed % 2 == 0;
    Simulation simulation(options, seed);
    Rng faults(seed * 77);
    for (int period = 0; period < 10; ++period) {
      const auto good = static_cast<int>(faults.Below(3));
      for (int endpoint = 0; endpoint < 3; ++endpoint) {
        const auto health = endpoint == good ? Health::kGood : static_cast<Health>(faults.Below(5));
        simulation.At(milliseconds(1 + 700 * period),
                      [&simulation, endpoint, health] { simulation.Set(endpoint, health); });
      }
    }
    simulation.Load(150, seconds(7), seconds(2));
    simulation.Run();
    if (HasFatalFailure()) return;
    for (const Status& failure : simulation.failures()) ADD_FAILURE() << failure.ToString();
  }
}

TEST(CallPlanTest, HedgesCutTheTailAndAddAtMostTheirShare) {
  for (const bool hedge : {false, true}) {
    ClientOptions options = Endpoints(3);
    options.hedge = hedge;
    Simulation simulation(options, 5);
    simulation.Load(500, seconds(20), seconds(1));
    simulation.Run();
    ASSERT_TRUE(simulation.failures().empty());
    const ClientCounts& counts = simulation.counts();
    EXPECT_EQ(counts.attempts - counts.requests, counts.hedges);
    std::vector<Duration> answers = simulation.answers();
    std::ranges::sort(answers);
    const Duration p99 = answers[answers.size() * 99 / 100];
    if (hedge) {  // two of a hundred attempts take 40 ms more; 5 % lie beyond the percentile
      EXPECT_LT(p99, milliseconds(10));
      EXPECT_GT(counts.hedges, counts.requests / 50);
      EXPECT_LT(counts.hedges, counts.requests / 10);
    } else {
      EXPECT_GT(p99, milliseconds(40));
      EXPECT_EQ(counts.hedges, 0);
    }
  }
}

TEST(CallPlanTest, WhenEverythingBecomesSlowHedgesStayWithinTheirShareHoweverFewTheRequests) {
  ClientOptions options = Endpoints(2);
  options.hedge = true;
  options.attempt_timeout = seconds(10);
  Simulation simulation(options, 7);
  simulation.At(seconds(20), [&] {
    for (const int endpoint : {0, 1}) simulation.Set(endpoint, Health::kSlow);
  });
  int64_t before = 0;
  simulation.At(seconds(20), [&] { before = simulation.counts().hedges; });
  simulation.Load(9, seconds(40), seconds(2));  // the window's 256 attempts are 28 s
  simulation.Run();
  ASSERT_FALSE(HasFatalFailure());
  const ClientCounts& counts = simulation.counts();
  EXPECT_TRUE(simulation.failures().empty());
  EXPECT_GT(counts.hedges, before);
  EXPECT_LE(static_cast<double>(counts.hedges),
            CallState::kHedgeBurst + 0.1 * static_cast<double>(counts.requests));
  EXPECT_EQ(counts.retries, 0);
}

TEST(CallPlanTest, WhenAllAreFrozenNoRequestIsSentTwiceBeyondTheBudget) {
  ClientOptions options = Endpoints(3);
  options.most_outstanding = 40;
  Simulation simulation(options, 11);
  for (const int endpoint : {0, 1, 2}) {
    simulation.At(seconds(1), [&, endpoint] { simulation.Set(endpoint, Health::kFrozen); });
    simulation.At(seconds(9), [&, endpoint] { simulation.Set(endpoint, Health::kGood); });
  }
  simulation.Load(50, seconds(15), milliseconds(800));
  simulation.Run();
  ASSERT_FALSE(HasFatalFailure());
  const ClientCounts& counts = simulation.counts();
  EXPECT_LE(static_cast<double>(counts.retries),
            40 + 0.1 * static_cast<double>(counts.requests) + 10 * 15.0);
  // Failed are those whose deadline fell into the outage; none that came a second after it.
  EXPECT_LE(simulation.failures().size(), 50u * 9u);
}

TEST(CallPlanTest, AHedgeStartsAfterTheObservedP95AndTheFirstAnswerWins) {
  ClientOptions options = Endpoints(2);
  options.hedge = true;
  CallState state(options);
  for (int i = 0; i < 100; ++i) state.table.GivenUp(milliseconds(i + 1));
  CallPlan plan(&options, &state, TimePoint(seconds(1)));
  const TimePoint begin(seconds(0));
  const CallSteps first = plan.Start(begin);
  ASSERT_EQ(first.size(), 1u);
  ASSERT_TRUE(plan.NextTime().has_value());
  const Duration p95 = *plan.NextTime() - begin;
  EXPECT_GE(p95, milliseconds(88));  // it is computed each 16 attempts
  EXPECT_LE(p95, milliseconds(96));
  EXPECT_TRUE(plan.OnTime(begin + p95 - microseconds(1)).empty());
  const CallSteps second = plan.OnTime(begin + p95);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].kind, Kind::kSend);
  EXPECT_NE(second[0].endpoint, first[0].endpoint);
  EXPECT_TRUE(state.table.up(first[0].endpoint));  // late, not suspected
  plan.OnAnswered(second[0].endpoint, begin + p95 + milliseconds(1));
  EXPECT_TRUE(plan.over());
  plan.OnDropped(first[0].endpoint);
  EXPECT_TRUE(plan.OnTime(TimePoint(seconds(2))).empty());
}

TEST(CallPlanTest, WithoutBudgetAHedgeIsLeftOutAndARetryWaits) {
  ClientOptions options = Endpoints(3);
  options.hedge = true;
  options.retry_share = 0;
  options.retries_per_second = 10;
  options.most_outstanding = 1;  // the burst
  CallState state(options);
  for (int i = 0; i < 64; ++i) state.table.GivenUp(milliseconds(10));
  ASSERT_TRUE(state.budget.Take(TimePoint(milliseconds(1))));
  CallPlan plan(&options, &state, TimePoint(seconds(1)));
  const int first = plan.Start(TimePoint(milliseconds(1)))[0].endpoint;
  EXPECT_TRUE(plan.OnTime(TimePoint(milliseconds(12))).empty());
  EXPECT_EQ(state.counts.hedges, 0);
  CallSteps steps = plan.OnFailed(first, Unavailable("gone"), {}, TimePoint(milliseconds(13)));
  ASSERT_EQ(steps.size(), 1u);  // the probe
  EXPECT_EQ(steps[0].kind, Kind::kProbe);
  TimePoint when{};
  do {
    ASSERT_TRUE(plan.NextTime().has_value());
    when = *plan.NextTime();
    ASSERT_LT(when, TimePoint(milliseconds(300)));
    steps = plan.OnTime(when);
  } while (steps.empty());
  EXPECT_EQ(steps[0].kind, Kind::kSend);
  EXPECT_GE(when, TimePoint(milliseconds(100)));  // a tenth of a second fills it
}

TEST(CallPlanTest, AnOutageOfAllEndpointsDoesNotUseUpTheBudget) {
  ClientOptions options = Endpoints(2);
  options.retry_share = 0;
  options.retries_per_second = 0;
  options.most_outstanding = 50;
  Simulation simulation(options, 3);
  for (const int endpoint : {0, 1}) {
    simulation.At(milliseconds(1), [&, endpoint] { simulation.Set(endpoint, Health::kDead); });
    simulation.At(seconds(3), [&, endpoint] { simulation.Set(endpoint, Health::kGood); });
  }
  simulation.Load(40, seconds(6), milliseconds(500));
  simulation.Run();
  ASSERT_FALSE(HasFatalFailure());
  // Failed are those whose deadline fell into the outage; none that came a second after it.
  EXPECT_LT(simulation.failures().size(), 40u * 4u);
  EXPECT_GT(simulation.answers().size(), 40u * 2u / 2u);
  for (const Status& failure : simulation.failures()) {
    EXPECT_EQ(failure.code(), StatusCode::kUnavailable);
  }
}

TEST(CallPlanTest, ARefusalIsRepeatedOnlyWhenTheServerSaysWhenAndTimeIsLeft) {
  for (const auto& [hint, deadline, sent] :
       {std::tuple<std::optional<Duration>, Duration, int>{std::nullopt, seconds(1), 2},
        {milliseconds(100), milliseconds(150), 2},
        {milliseconds(100), milliseconds(450), 4}}) {
    Simulation simulation(Endpoints(2), 1);
    simulation.hint = hint;
    simulation.At(milliseconds(1), [&] {
      simulation.Set(0, Health::kOverloaded);
      simulation.Set(1, Health::kOverloaded);
    });
    simulation.At(milliseconds(2), [&, limit = deadline] { simulation.Arrive(limit); });
    simulation.Run();
    ASSERT_EQ(simulation.failures().size(), 1u);
    EXPECT_EQ(simulation.failures()[0].code(), StatusCode::kResourceExhausted);
    EXPECT_GE(simulation.counts().attempts, sent);
    EXPECT_LE(simulation.counts().attempts, sent * 2);
    if (sent == 2) {
      EXPECT_EQ(simulation.counts().attempts, 2);
      EXPECT_LT(simulation.now(), TimePoint(seconds(2)));
    }
  }
}

TEST(CallPlanTest, WhatFindsEveryEndpointFullIsRefusedAtOnce) {
  ClientOptions options = Endpoints(2);
  options.most_outstanding = 3;
  Simulation simulation(options, 1);
  simulation.At(milliseconds(1), [&] {
    simulation.Set(0, Health::kFrozen);
    simulation.Set(1, Health::kFrozen);
    for (int i = 0; i < 10; ++i) simulation.Arrive(seconds(1));
    EXPECT_EQ(simulation.failures().size(), 4u);
    for (const Status& status : simulation.failures()) {
      EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
    }
  });
  simulation.Run();
  EXPECT_EQ(simulation.counts().shed, 4);
  EXPECT_EQ(simulation.failures().size(), 10u);
}

TEST(RetryBudgetTest, StartsFullAndRefillsByRequestsAndTime) {
  RetryBudget budget(0.25, 2, 3);
  const TimePoint start(seconds(1));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(budget.Take(start));
  EXPECT_FALSE(budget.Take(start));
  for (int i = 0; i < 4; ++i) budget.AddRequest();
  EXPECT_TRUE(budget.Take(start));
  EXPECT_FALSE(budget.Take(start + milliseconds(499)));
  EXPECT_TRUE(budget.Take(start + milliseconds(501)));
  EXPECT_FALSE(budget.Take(start));  // a clock read before another one's
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(budget.Take(start + seconds(100)));
  EXPECT_FALSE(budget.Take(start + seconds(100)));
}

TEST(LatencyWindowTest, KnowsNothingOfTooFewAndForgetsTheOld) {
  LatencyWindow window;
  for (int i = 0; i + 1 < LatencyWindow::kFewest; ++i) window.Add(milliseconds(1));
  EXPECT_FALSE(window.P95().has_value());
  for (int i = 0; i < 300; ++i) window.Add(milliseconds(i % 100 < 90 ? 1 : 9));
  EXPECT_EQ(window.P95(), milliseconds(9));
  for (int i = 0; i < 300; ++i) window.Add(milliseconds(2));
  EXPECT_EQ(window.P95(), milliseconds(2));
}

}  // namespace
}  // namespace braid::client
