// Requests of one client against endpoints that fail by a schedule, in simulated time with a seed: what
// the tests of the plan share.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "braid/base/rng.h"
#include "braid/client/call_plan.h"

namespace braid::client {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = CallStep::Kind;

class NoModel final : public LocalModel {  // plans ask only whether there is one
 public:
  void Run(InferRequest, std::function<void(Result<InferReply>)>) override {}
};

inline ClientOptions Endpoints(int count) {
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

}  // namespace braid::client
