// Requests of one client against endpoints that fail by a schedule, in simulated time with a seed.
#include "braid/client/call_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "braid/base/rng.h"

namespace braid::client {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = CallStep::Kind;

class NoModel final : public LocalModel {  // plans ask only whether there is one
 public:
  void Run(InferRequest, std::function<void(Result<InferReply>)>) override {}
};

ClientOptions Endpoints(int count) {
  ClientOptions options;
  for (int i = 0; i < count; ++i) options.endpoints.push_back("e:" + std::to_string(i));
  return options;
}

enum class Health { kGood, kSlow, kFrozen, kDead, kOverloaded };

class Simulation {
 public:
  Simulation(ClientOptions options, uint64_t seed)
      : options_(std::move(options)),
        state_(options_),
        rng_(seed),
        health_(options_.endpoints.size(), Health::kGood) {}

  void At(Duration when, std::function<void()> task) { events_.emplace(TimePoint(when), task); }

  void Arrive(Duration deadline) {
    auto request = std::make_shared<Request>();  // shared by the events about it
    request->plan = std::make_unique<CallPlan>(&options_, &state_, now_ + deadline);
    request->deadline = now_ + deadline;
    request->arrived = now_;
    requests_.push_back(request);
    Carry(request, request->plan->Start(now_));
  }

  // Requests at random distances for `length`, then whatever they still do.
  void Load(double rate, Duration length, Duration deadline) {
    for (Duration t{1}; t < length;) {
      At(t, [this, deadline] { Arrive(deadline); });
      t += microseconds(1 + static_cast<int64_t>(rng_.Uniform() * 2e6 / rate));
    }
  }

  // A frozen endpoint that thaws answers what it holds; one that dies cuts it off.
  void Set(int endpoint, Health health) {
    Health& current = health_[static_cast<size_t>(endpoint)];
    if (current == health) return;
    const bool thaws = current == Health::kFrozen && health != Health::kDead;
    current = health;
    if (!thaws && health != Health::kDead) return;
    for (const auto& request : requests_) {
      const auto open = request->open.find(endpoint);
      if (open == request->open.end()) continue;
      const int attempt = open->second;
      if (thaws) {
        In(Latency(endpoint), [=, this] { Answer(request, endpoint, attempt); });
      } else {
        In(Duration{}, [=, this] { Fail(request, endpoint, attempt, Unavailable("cut"), {}); });
      }
    }
  }

  void Run() {
    while (!events_.empty()) {
      auto event = events_.extract(events_.begin());
      ASSERT_GE(event.key(), now_);
      now_ = event.key();
      event.mapped()();
      for (const EndpointReport& report : state_.table.Reports()) {
        ASSERT_GE(report.outstanding, 0);
        ASSERT_LE(report.outstanding, options_.most_outstanding);
      }
      const double seconds = std::chrono::duration<double>(now_.time_since_epoch()).count();
      ASSERT_LE(static_cast<double>(paid_),
                options_.most_outstanding +
                    options_.retry_share * static_cast<double>(state_.counts.requests) +
                    options_.retries_per_second * seconds + 1e-6)
          << "the budget was overdrawn";
    }
    for (const auto& request : requests_) ASSERT_EQ(request->ends, 1) << "lost or ended twice";
    for (const EndpointReport& report : state_.table.Reports()) ASSERT_EQ(report.outstanding, 0);
  }

  Rng& rng() { return rng_; }
  TimePoint now() const { return now_; }
  const ClientCounts& counts() const { return state_.counts; }
  const std::vector<Duration>& answers() const { return answers_; }
  const std::vector<Status>& failures() const { return failures_; }
  int sent_to(int endpoint) const { return sent_.count(endpoint) ? sent_.at(endpoint) : 0; }

  std::optional<Duration> hint;  // of overloaded endpoints
  Status local_status;
  Duration local_time = milliseconds(3);
  int local_answers = 0;

 private:
  struct Request {
    std::unique_ptr<CallPlan> plan;
    TimePoint deadline;
    std::map<int, int> open;  // endpoint -> number of the attempt
    int ends = 0;
    int attempts = 0;
    TimePoint arrived{};
  };
  using RequestPtr = std::shared_ptr<Request>;

  void In(Duration after, std::function<void()> task) { events_.emplace(now_ + after, task); }

  Duration Latency(int endpoint) {
    const Duration usual = microseconds(500 + rng_.Below(2000));
    const bool slow = health_[static_cast<size_t>(endpoint)] == Health::kSlow;
    return slow                  ? usual + milliseconds(400)
           : rng_.Below(50) == 0 ? usual + milliseconds(40)
                                 : usual;
  }

  void Carry(const RequestPtr& request, const CallSteps& steps) {
    for (const CallStep& step : steps) {
      switch (step.kind) {
        case Kind::kSend:
          Send(request, step.endpoint);
          break;
        case Kind::kProbe:
          events_.emplace(step.when, [this, endpoint = step.endpoint] { Probe(endpoint); });
          break;
        case Kind::kLocal:
          In(local_time, [=, this] {
            if (request->plan->over()) return;
            if (!local_status.ok()) {
              return Carry(request, request->plan->OnLocalFailed(local_status, now_));
            }
            ++local_answers;
            request->plan->End(now_);
            End(request);
          });
          break;
        case Kind::kFail:
          failures_.push_back(step.status);
          End(request);
          break;
      }
    }
    if (const auto next = request->plan->NextTime(); next.has_value()) {
      events_.emplace(std::max(*next, now_), [=, this] {
        if (!request->plan->over()) Carry(request, request->plan->OnTime(now_));
      });
    }
  }

  void Send(const RequestPtr& request, int endpoint) {
    ASSERT_EQ(request->open.count(endpoint), 0u) << "two attempts at one endpoint";
    const bool up = state_.table.up(endpoint);
    if (request->attempts++ > 0 && (up || !request->open.empty())) ++paid_;
    ++sent_[endpoint];
    const int attempt = ++attempt_;
    request->open[endpoint] = attempt;
    const auto fail = [=, this](Status status, std::optional<Duration> wait) {
      return [=, this] { Fail(request, endpoint, attempt, status, wait); };
    };
    events_.emplace(request->deadline, fail(DeadlineExceeded("deadline"), {}));
    switch (health_[static_cast<size_t>(endpoint)]) {
      case Health::kGood:
      case Health::kSlow:
        In(Latency(endpoint), [=, this] { Answer(request, endpoint, attempt); });
        break;
      case Health::kFrozen:
        break;
      case Health::kDead:
        In(microseconds(100), fail(Unavailable("refused"), {}));
        break;
      case Health::kOverloaded:
        In(microseconds(200), fail(ResourceExhausted("too much"), hint));
        break;
    }
  }

  bool Close(const RequestPtr& request, int endpoint, int attempt) {
    const auto open = request->open.find(endpoint);
    if (open == request->open.end() || open->second != attempt) return false;
    request->open.erase(open);
    return true;
  }
  void Fail(const RequestPtr& request, int endpoint, int attempt, const Status& status,
            std::optional<Duration> wait) {
    if (!Close(request, endpoint, attempt)) return;
    Carry(request, request->plan->OnFailed(endpoint, status, wait, now_));
  }
  void Answer(const RequestPtr& request, int endpoint, int attempt) {
    if (health_[static_cast<size_t>(endpoint)] == Health::kFrozen) return;  // froze meanwhile
    if (!Close(request, endpoint, attempt)) return;
    request->plan->OnAnswered(endpoint, now_);
    answers_.push_back(now_ - request->arrived);
    End(request);
  }
  // The losers are cancelled.
  void End(const RequestPtr& request) {
    ++request->ends;
    ASSERT_LE(now_, request->deadline + local_time);
    const auto open = std::exchange(request->open, {});
    for (const auto& [endpoint, attempt] : open) request->plan->OnDropped(endpoint);
  }

  void Probe(int endpoint) {
    const Health health = health_[static_cast<size_t>(endpoint)];
    if (health == Health::kDead || health == Health::kFrozen) {
      const TimePoint again = state_.table.ProbeFailed(endpoint, "probe", now_);
      // Nobody would look at the endpoints any more when the last request has come.
      if (now_ < TimePoint(seconds(60))) events_.emplace(again, [=, this] { Probe(endpoint); });
    } else {
      state_.table.ProbePassed(endpoint);
    }
  }

  const ClientOptions options_;
  CallState state_;
  Rng rng_;
  TimePoint now_{};
  std::multimap<TimePoint, std::function<void()>> events_;
  std::vector<Health> health_;
  std::vector<RequestPtr> requests_;
  std::vector<Duration> answers_;
  std::vector<Status> failures_;
  std::map<int, int> sent_;
  int attempt_ = 0;
  // Attempts beyond each request's first, at endpoints that are up or beside an open one.
  int64_t paid_ = 0;
};

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
