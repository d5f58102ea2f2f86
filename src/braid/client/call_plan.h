// What one request does next: whom to ask, when to ask another one as well, when to give up.
// Pure: no thread, no clock, no gRPC; whoever drives it carries the steps out. Layer: client.
// Rules: docs/client.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/client/endpoint_table.h"
#include "braid/client/retry_budget.h"

namespace braid::client {

// What the plans of one client share.
struct CallState {
  explicit CallState(const ClientOptions& options)
      : table(options),
        budget(options.retry_share, options.retries_per_second, options.most_outstanding),
        hedge_budget(options.retry_share, 0, kHedgeBurst) {}
  // What one hiccup of all endpoints may cost at once.
  static constexpr double kHedgeBurst = 10;

  EndpointTable table;
  RetryBudget budget;  // of hedges and retries
  // Of hedges alone, without the refill by time: when everything becomes slower than the percentile
  // was, each request of a client that sends few would else be sent twice.
  RetryBudget hedge_budget;
  ClientCounts counts;
};

struct CallStep {
  enum class Kind : uint8_t {
    kSend,   // ask `endpoint`; OnFinished or OnAnswered must follow
    kProbe,  // ask for the health of `endpoint` at `when`
    kLocal,  // run the local model; OnLocalFailed, or nothing more, must follow
    kFail,   // the request is over, with `status`
  };
  Kind kind = Kind::kFail;
  int endpoint = -1;
  TimePoint when{};
  Status status;
};
using CallSteps = std::vector<CallStep>;

class CallPlan {
 public:
  // `options` and `state` must outlive the plan; other plans may use them between two calls.
  CallPlan(const ClientOptions* options, CallState* state, TimePoint deadline);

  CallSteps Start(TimePoint now);
  // The attempt at `endpoint` failed. `hint`: the server wants no retry sooner.
  CallSteps OnFailed(int endpoint, const Status& status, std::optional<Duration> hint,
                     TimePoint now);
  // It was answered: the request is over.
  void OnAnswered(int endpoint, TimePoint now);
  CallSteps OnLocalFailed(const Status& status, TimePoint now);
  // Of an attempt that was still open when the request was over.
  void OnDropped(int endpoint);
  // The request ended otherwise (the client closes, the local model answered). Open attempts are
  // to be cancelled.
  void End(TimePoint now);

  // When to call OnTime; nothing: only an attempt's end leads on. Attempts end at the deadline.
  std::optional<TimePoint> NextTime() const;
  CallSteps OnTime(TimePoint now);

  bool over() const { return over_; }

 private:
  struct Attempt {
    bool Refuses(TimePoint now) const { return refused_until.has_value() && now < *refused_until; }

    bool open = false;
    bool suspected = false;  // open for too long
    // Said that it is overloaded: not to be asked before. Whether that is the server's own wish.
    std::optional<TimePoint> refused_until;
    bool said_when = false;
    TimePoint started{};
    std::optional<TimePoint> hedge_at;  // to ask another one as well, if the budget allows
    TimePoint suspect_at{};             // to ask another one and call this one down
  };

  enum class Pause { kAhead, kOver };  // before endpoints that are down are asked

  bool more_than_one() const { return attempts_.size() > 1; }
  bool AnyOpen() const;
  bool AllOpen() const;
  // Endpoints that work at this request or refuse it.
  std::vector<bool> Excluded(TimePoint now) const;
  // Every endpoint refuses this request.
  bool AllRefused(TimePoint now) const;
  // When the first of those who refused wants to be asked again; nothing when none said it.
  std::optional<TimePoint> WhenWanted() const;
  // Every endpoint is known to be down or has refused.
  bool Hopeless() const;
  void Send(int endpoint, TimePoint now, CallSteps* steps);
  // Goes on after a failure: asks another endpoint, runs the local model, waits, or fails.
  void Retry(TimePoint now, Pause pause, CallSteps* steps);
  void WaitAndRetry(TimePoint now);
  void Hedge(TimePoint now, CallSteps* steps);
  void Suspect(int endpoint, TimePoint now, CallSteps* steps);
  void MarkDown(int endpoint, const std::string& error, TimePoint now, CallSteps* steps);
  // True when the local model runs now; false without one, or when it has run.
  bool RunLocal(CallSteps* steps);
  void Fail(const Status& status, TimePoint now, CallSteps* steps);

  const ClientOptions* const options_;
  CallState* const state_;
  const TimePoint deadline_;
  std::vector<Attempt> attempts_;  // by endpoint
  std::optional<TimePoint> retry_at_;
  std::optional<TimePoint> local_at_;  // the deadline nears; nothing: no local model, or it ran
  bool local_runs_ = false;
  Duration pause_;  // before endpoints that are down are tried once more
  Status last_error_;
  bool over_ = false;
};

}  // namespace braid::client
