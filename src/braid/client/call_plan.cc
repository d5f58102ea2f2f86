#include "braid/client/call_plan.h"

#include <algorithm>

namespace braid::client {
namespace {

using Kind = CallStep::Kind;

// While every endpoint is down, they are tried again after 5 ms, then 10, ... up to this.
constexpr Duration kFirstPause = std::chrono::milliseconds(5);
constexpr Duration kLongestPause = std::chrono::milliseconds(80);

// Failures of the endpoint or the way to it. Running an inference twice does no harm, so all of
// these may be tried elsewhere. The rest is the device's considered answer to this request.
bool EndpointFailed(StatusCode code) {
  switch (code) {
    case StatusCode::kUnavailable:
    case StatusCode::kCancelled:  // not by us: the server was torn down under the call
    case StatusCode::kUnknown:    // a connection lost at an awkward moment
    case StatusCode::kAborted:
      return true;
    case StatusCode::kOk:
    case StatusCode::kInvalidArgument:
    case StatusCode::kDeadlineExceeded:
    case StatusCode::kNotFound:
    case StatusCode::kAlreadyExists:
    case StatusCode::kPermissionDenied:
    case StatusCode::kResourceExhausted:
    case StatusCode::kFailedPrecondition:
    case StatusCode::kOutOfRange:
    case StatusCode::kUnimplemented:
    case StatusCode::kInternal:
    case StatusCode::kDataLoss:
    case StatusCode::kUnauthenticated:
      return false;
  }
  return false;
}

}  // namespace

CallPlan::CallPlan(const ClientOptions* options, CallState* state, TimePoint deadline)
    : options_(options),
      state_(state),
      deadline_(deadline),
      attempts_(options->endpoints.size()),
      pause_(kFirstPause) {}

CallSteps CallPlan::Start(TimePoint now) {
  CallSteps steps;
  ++state_->counts.requests;
  state_->budget.AddRequest();
  state_->hedge_budget.AddRequest();
  if (options_->local != nullptr) {
    local_at_ = std::max(deadline_ - options_->local_reserve, now + (deadline_ - now) / 2);
  }
  if (Hopeless() && RunLocal(&steps)) return steps;
  const EndpointTable::Pick pick = state_->table.Choose(Excluded(now), now);
  if (pick.endpoint >= 0) {
    Send(pick.endpoint, now, &steps);
    return steps;
  }
  // Further ones would wait where no deadline is seen: in the transport, for a free stream.
  ++state_->counts.shed;
  last_error_ = ResourceExhausted("client: " + std::to_string(options_->most_outstanding) +
                                  " requests are open at each endpoint");
  if (!RunLocal(&steps)) Fail(last_error_, now, &steps);
  return steps;
}

void CallPlan::Send(int endpoint, TimePoint now, CallSteps* steps) {
  Attempt& attempt = attempts_[static_cast<size_t>(endpoint)];
  attempt = {};
  attempt.open = true;
  attempt.started = now;
  attempt.suspect_at = now + state_->table.SuspectAfter();
  if (options_->hedge && more_than_one()) {
    if (const auto p95 = state_->table.P95(); p95.has_value()) attempt.hedge_at = now + *p95;
  }
  state_->table.Started(endpoint);
  ++state_->counts.attempts;
  steps->push_back({Kind::kSend, endpoint, {}, {}});
}

CallSteps CallPlan::OnFailed(int endpoint, const Status& status, std::optional<Duration> hint,
                             TimePoint now) {
  CallSteps steps;
  Attempt& attempt = attempts_[static_cast<size_t>(endpoint)];
  attempt.open = false;
  state_->table.Ended(endpoint);
  if (over_) return steps;
  last_error_ = status.WithContext(options_->endpoints[static_cast<size_t>(endpoint)]);
  if (status.code() == StatusCode::kResourceExhausted) {
    attempt.refused_until = now + std::max(hint.value_or(kLongestPause), kFirstPause);
    attempt.said_when = hint.has_value();
    state_->table.Refused(endpoint, *attempt.refused_until);
    Retry(now, Pause::kAhead, &steps);
  } else if (EndpointFailed(status.code())) {
    MarkDown(endpoint, status.message(), now, &steps);
    Retry(now, Pause::kAhead, &steps);
  } else if (status.code() != StatusCode::kDeadlineExceeded || now >= deadline_ ||
             !RunLocal(&steps)) {  // a device that cannot be in time says so early
    Fail(last_error_, now, &steps);
  }
  return steps;
}

void CallPlan::OnAnswered(int endpoint, TimePoint now) {
  Attempt& attempt = attempts_[static_cast<size_t>(endpoint)];
  attempt.open = false;
  state_->table.Ended(endpoint);
  state_->table.Answered(endpoint, now - attempt.started);
  End(now);
}

CallSteps CallPlan::OnLocalFailed(const Status& status, TimePoint now) {
  CallSteps steps;
  local_runs_ = false;
  if (over_) return steps;
  if (last_error_.ok()) last_error_ = status.WithContext("local model");
  Retry(now, Pause::kAhead, &steps);
  return steps;
}

void CallPlan::OnDropped(int endpoint) {
  attempts_[static_cast<size_t>(endpoint)].open = false;
  state_->table.Ended(endpoint);
}

void CallPlan::End(TimePoint now) {
  if (over_) return;
  over_ = true;
  for (const Attempt& attempt : attempts_) {
    if (attempt.open) state_->table.GivenUp(now - attempt.started);
  }
}

void CallPlan::Fail(const Status& status, TimePoint now, CallSteps* steps) {
  if (over_) return;
  End(now);
  steps->push_back({Kind::kFail,
                    -1,
                    {},
                    status.ok() ? DeadlineExceeded("no answer within the deadline") : status});
}

bool CallPlan::RunLocal(CallSteps* steps) {
  if (local_runs_) return true;
  if (!local_at_.has_value()) return false;
  local_at_.reset();
  local_runs_ = true;
  ++state_->counts.local;
  steps->push_back({Kind::kLocal, -1, {}, {}});
  return true;
}

void CallPlan::Retry(TimePoint now, Pause pause, CallSteps* steps) {
  if (now >= deadline_) {
    if (!AnyOpen() && !local_runs_) Fail(last_error_, now, steps);
    return;
  }
  if (Hopeless() && RunLocal(steps)) return;
  const EndpointTable::Pick pick = state_->table.Choose(Excluded(now), now);
  if (pick.endpoint >= 0 && (pick.up || pause == Pause::kOver)) {
    // One that is down, of a request that is at work nowhere else, costs no budget: the pauses
    // bound that load.
    if ((pick.up || AnyOpen()) && !state_->budget.Take(now)) return WaitAndRetry(now);
    ++state_->counts.retries;
    Send(pick.endpoint, now, steps);
  } else if (AllRefused(now)) {
    // Asked again only when they say when, and if as much time is left for the answer.
    const std::optional<TimePoint> again = WhenWanted();
    if (!again.has_value() || 2 * (*again - now) >= deadline_ - now) {
      return Fail(last_error_, now, steps);
    }
    retry_at_ = again;
  } else if (!AllOpen()) {
    WaitAndRetry(now);  // the others are down, full, or have refused: there is no hurry
  }
}

void CallPlan::WaitAndRetry(TimePoint now) {
  if (retry_at_.has_value()) return;
  retry_at_ = std::min(now + pause_, deadline_);
  pause_ = std::min(2 * pause_, kLongestPause);
}

void CallPlan::Hedge(TimePoint now, CallSteps* steps) {
  const EndpointTable::Pick pick = state_->table.Choose(Excluded(now), now);
  if (pick.endpoint < 0 || !pick.up) return;
  if (!state_->hedge_budget.Take(now) || !state_->budget.Take(now)) return;
  ++state_->counts.hedges;
  Send(pick.endpoint, now, steps);
}

void CallPlan::MarkDown(int endpoint, const std::string& error, TimePoint now, CallSteps* steps) {
  const std::optional<TimePoint> probe = state_->table.Failed(endpoint, error, now);
  if (probe.has_value()) steps->push_back({Kind::kProbe, endpoint, *probe, {}});
}

void CallPlan::Suspect(int endpoint, TimePoint now, CallSteps* steps) {
  attempts_[static_cast<size_t>(endpoint)].suspected = true;
  MarkDown(endpoint, "no answer in time", now, steps);
  Retry(now, Pause::kAhead, steps);
}

CallSteps CallPlan::OnTime(TimePoint now) {
  CallSteps steps;
  if (over_) return steps;
  if (local_at_.has_value() && now >= *local_at_) RunLocal(&steps);
  for (size_t i = 0; i < attempts_.size(); ++i) {
    // By index: sending changes the attempts, not their number.
    if (attempts_[i].open && attempts_[i].hedge_at.has_value() && now >= *attempts_[i].hedge_at) {
      attempts_[i].hedge_at.reset();
      Hedge(now, &steps);
    }
    if (more_than_one() && attempts_[i].open && !attempts_[i].suspected &&
        now >= attempts_[i].suspect_at) {
      Suspect(static_cast<int>(i), now, &steps);
    }
  }
  if (retry_at_.has_value() && now >= *retry_at_) {
    retry_at_.reset();
    Retry(now, Pause::kOver, &steps);
  }
  return steps;
}

std::optional<TimePoint> CallPlan::NextTime() const {
  if (over_) return std::nullopt;
  std::optional<TimePoint> next = retry_at_;
  const auto include = [&next](TimePoint time) { next = next ? std::min(*next, time) : time; };
  if (local_at_.has_value()) include(*local_at_);
  for (const Attempt& attempt : attempts_) {
    if (!attempt.open) continue;
    if (attempt.hedge_at.has_value()) include(*attempt.hedge_at);
    if (more_than_one() && !attempt.suspected) include(attempt.suspect_at);
  }
  return next;
}

bool CallPlan::AnyOpen() const {
  return std::ranges::any_of(attempts_, [](const Attempt& attempt) { return attempt.open; });
}

bool CallPlan::AllOpen() const {
  return std::ranges::all_of(attempts_, [](const Attempt& attempt) { return attempt.open; });
}

bool CallPlan::Hopeless() const {
  for (size_t i = 0; i < attempts_.size(); ++i) {
    const bool refused = attempts_[i].refused_until.has_value();
    if (!refused && state_->table.up(static_cast<int>(i))) return false;
  }
  return true;
}

bool CallPlan::AllRefused(TimePoint now) const {
  return std::ranges::all_of(
      attempts_, [now](const Attempt& attempt) { return !attempt.open && attempt.Refuses(now); });
}

std::optional<TimePoint> CallPlan::WhenWanted() const {
  std::optional<TimePoint> first;
  for (const Attempt& attempt : attempts_) {
    if (!attempt.said_when) continue;
    first = first.has_value() ? std::min(first, attempt.refused_until) : attempt.refused_until;
  }
  return first;
}

std::vector<bool> CallPlan::Excluded(TimePoint now) const {
  std::vector<bool> excluded;
  for (const Attempt& attempt : attempts_) excluded.push_back(attempt.open || attempt.Refuses(now));
  return excluded;
}

}  // namespace braid::client
