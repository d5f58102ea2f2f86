// When the local model runs, in simulated time.
#include "braid/client/call_plan_testing.h"

namespace braid::client {
namespace {

class LocalPlanTest : public testing::Test {
 protected:
  static ClientOptions WithLocal(int endpoints) {
    ClientOptions options = Endpoints(endpoints);
    options.local = std::make_shared<NoModel>();
    return options;
  }
};

TEST_F(LocalPlanTest, RunsWhenEveryEndpointIsDeadLongBeforeTheDeadline) {
  Simulation simulation(WithLocal(2), 1);
  simulation.At(milliseconds(1), [&] {
    simulation.Set(0, Health::kDead);
    simulation.Set(1, Health::kDead);
    simulation.Arrive(seconds(1));
  });
  simulation.At(milliseconds(30), [&] { EXPECT_EQ(simulation.local_answers, 1); });
  simulation.Run();
  EXPECT_TRUE(simulation.failures().empty());
}

TEST_F(LocalPlanTest, RunsWhenAllRefuseOrAreFull) {
  ClientOptions options = WithLocal(2);
  options.most_outstanding = 2;
  Simulation simulation(options, 1);
  simulation.At(milliseconds(1), [&] {
    simulation.Set(0, Health::kOverloaded);
    simulation.Set(1, Health::kOverloaded);
    simulation.Arrive(seconds(1));
  });
  simulation.At(milliseconds(50), [&] {
    for (int i = 0; i < 5; ++i) simulation.Arrive(seconds(1));
  });
  simulation.Run();
  EXPECT_TRUE(simulation.failures().empty());
  EXPECT_EQ(simulation.local_answers, 6);
}

TEST_F(LocalPlanTest, RunsBeforeTheDeadlineOfASingleFrozenEndpoint) {
  Simulation simulation(WithLocal(1), 1);
  simulation.At(milliseconds(1), [&] {
    simulation.Set(0, Health::kFrozen);
    simulation.Arrive(milliseconds(300));
  });
  simulation.At(milliseconds(190), [&] { EXPECT_EQ(simulation.local_answers, 0); });
  simulation.At(milliseconds(205), [&] { EXPECT_EQ(simulation.local_answers, 1); });
  simulation.Run();
  EXPECT_TRUE(simulation.failures().empty());
}

TEST_F(LocalPlanTest, AnswersWithoutAnAttemptWhileAllAreKnownToBeDown) {
  Simulation simulation(WithLocal(2), 1);
  for (const int endpoint : {0, 1}) {
    simulation.At(milliseconds(1), [&, endpoint] { simulation.Set(endpoint, Health::kDead); });
    simulation.At(milliseconds(900), [&, endpoint] { simulation.Set(endpoint, Health::kGood); });
  }
  simulation.At(milliseconds(2), [&] { simulation.Arrive(seconds(1)); });  // learns it
  simulation.At(milliseconds(500), [&] {
    const int64_t attempts = simulation.counts().attempts;
    simulation.Arrive(seconds(1));
    EXPECT_EQ(simulation.counts().attempts, attempts);
    EXPECT_EQ(simulation.counts().local, 2);
  });
  simulation.At(seconds(2), [&] { simulation.Arrive(seconds(1)); });  // probes found them
  simulation.Run();
  EXPECT_EQ(simulation.local_answers, 2);
  EXPECT_EQ(simulation.answers().size(), 1u);
}

TEST_F(LocalPlanTest, LeavesTheFirstHalfOfAShortDeadlineToTheEndpoints) {
  ClientOptions options = WithLocal(1);
  options.local_reserve = seconds(1);
  Simulation simulation(options, 1);
  simulation.At(milliseconds(1), [&] {
    simulation.Set(0, Health::kFrozen);
    simulation.Arrive(milliseconds(60));
  });
  simulation.At(milliseconds(30), [&] { EXPECT_EQ(simulation.counts().local, 0); });
  simulation.At(milliseconds(32), [&] { EXPECT_EQ(simulation.counts().local, 1); });
  simulation.Run();
  EXPECT_TRUE(simulation.failures().empty());
}

TEST_F(LocalPlanTest, DoesNotRunWhileAnEndpointAnswers) {
  Simulation simulation(WithLocal(2), 1);
  simulation.At(milliseconds(1), [&] { simulation.Set(0, Health::kDead); });
  simulation.Load(100, seconds(2), seconds(1));
  simulation.Run();
  EXPECT_TRUE(simulation.failures().empty());
  EXPECT_EQ(simulation.counts().local, 0);
}

TEST_F(LocalPlanTest, WhenItFailsTooTheEndpointsErrorIsReported) {
  Simulation simulation(WithLocal(2), 1);
  simulation.local_status = InvalidArgument("no such point");
  simulation.At(milliseconds(1), [&] {
    simulation.Set(0, Health::kDead);
    simulation.Set(1, Health::kDead);
    simulation.Arrive(milliseconds(200));
  });
  simulation.Run();
  ASSERT_EQ(simulation.failures().size(), 1u);
  EXPECT_EQ(simulation.failures()[0].code(), StatusCode::kUnavailable);
  EXPECT_EQ(simulation.counts().local, 1);
}

}  // namespace
}  // namespace braid::client
