#include "braid/client/call.h"

#include <algorithm>
#include <utility>

#include "braid/client/codec.h"
#include "braid/protocol/grpc_status.h"

namespace braid::client {
namespace {

TimePoint Now() { return std::chrono::steady_clock::now(); }

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

Call::Call(Pool* pool, inference::ModelInferRequest request, int images, TimePoint deadline,
           Client::Done done)
    : pool_(pool),
      request_(std::move(request)),
      images_(images),
      started_(Now()),
      deadline_(deadline),
      done_(std::move(done)),
      busy_(static_cast<size_t>(pool->size())),
      refused_(static_cast<size_t>(pool->size())),
      pause_(kFirstPause) {}

void Call::Start() { TryNext(); }

void Call::TryNext() {
  std::vector<bool> excluded;
  bool alone = true;  // no attempt of ours is under way
  {
    const std::lock_guard lock(mutex_);
    if (!done_) return;
    excluded = busy_;
    for (size_t i = 0; i < excluded.size(); ++i) {
      alone = alone && !busy_[i];
      excluded[i] = excluded[i] || refused_[i];
    }
  }
  if (Now() >= deadline_) {
    if (alone) Fail(DeadlineExceeded("no answer within the deadline"));
    return;
  }
  if (std::find(excluded.begin(), excluded.end(), false) == excluded.end()) {
    Status error;
    {
      const std::lock_guard lock(mutex_);
      error = last_error_;
    }
    if (alone) Fail(error);  // all of them refused
    return;
  }
  const EndpointTable::Pick pick = pool_->Choose(excluded);
  Send(pick.endpoint);
}

void Call::Send(int endpoint) {
  auto attempt = std::make_shared<Attempt>();  // shared by the callback and the hedge timer
  attempt->endpoint = endpoint;
  attempt->started = Now();
  attempt->context->set_deadline(ToSystemTime(deadline_));
  {
    const std::lock_guard lock(mutex_);
    attempts_.push_back(attempt);
    busy_[static_cast<size_t>(endpoint)] = true;
  }
  if (!pool_->Begin(attempt->context.get())) {
    pool_->Ended(endpoint);
    Fail({StatusCode::kCancelled, "the client closes"});
    return;
  }
  pool_->endpoint(endpoint).inference->async()->ModelInfer(
      attempt->context.get(), &request_, &attempt->response,
      [self = shared_from_this(), attempt](const grpc::Status& outcome) {
        self->OnFinished(attempt, outcome);
        self->pool_->End(std::move(attempt->context));
      });
  if (pool_->size() > 1) {
    const std::weak_ptr<Call> weak = weak_from_this();
    const std::weak_ptr<Attempt> weak_attempt = attempt;
    pool_->timer().At(Now() + pool_->HedgeAfter(), [weak, weak_attempt] {
      const auto self = weak.lock();
      const auto late = weak_attempt.lock();
      if (self && late) self->OnHedge(late);
    });
  }
}

void Call::OnHedge(const std::shared_ptr<Attempt>& attempt) {
  {
    const std::lock_guard lock(mutex_);
    if (!done_ || !attempt->open) return;
  }
  pool_->Failed(attempt->endpoint, "no answer in time");
  TryNext();
}

void Call::OnFinished(const std::shared_ptr<Attempt>& attempt, const grpc::Status& outcome) {
  const int endpoint = attempt->endpoint;
  bool was_over = false;
  {
    const std::lock_guard lock(mutex_);
    attempt->open = false;
    busy_[static_cast<size_t>(endpoint)] = false;
    was_over = !done_;
  }
  pool_->Ended(endpoint);
  const Status status = protocol::FromGrpc(outcome);
  if (was_over && !status.ok()) return;  // cancelled by ourselves, most likely

  if (status.ok()) {
    pool_->Answered(endpoint, Now() - attempt->started);
    Result<InferReply> reply = DecodeResponse(attempt->response, images_);
    if (reply.ok()) {
      reply->endpoint = pool_->address(endpoint);
      reply->elapsed = Now() - started_;
    }
    Finish(std::move(reply));
    return;
  }
  const Status named = status.WithContext(pool_->address(endpoint));
  const bool refused = status.code() == StatusCode::kResourceExhausted;
  {
    const std::lock_guard lock(mutex_);
    last_error_ = named;
    if (refused) refused_[static_cast<size_t>(endpoint)] = true;
  }
  if (refused) {
    TryNext();
  } else if (EndpointFailed(status.code())) {
    pool_->Failed(endpoint, status.message());
    RetryLater();
  } else {
    Finish(named);
  }
}

void Call::RetryLater() {
  // An endpoint that is up is asked at once; when all are down, or the request runs elsewhere
  // already, there is no hurry.
  bool any_up = false;
  const std::vector<EndpointReport> reports = pool_->Reports();
  TimePoint when{};
  {
    const std::lock_guard lock(mutex_);
    if (!done_ || retry_waits_) return;
    for (size_t i = 0; i < reports.size(); ++i) {
      any_up = any_up || (reports[i].up && !busy_[i] && !refused_[i]);
    }
    if (!any_up) {
      when = std::min(Now() + pause_, deadline_);
      pause_ = std::min(2 * pause_, kLongestPause);
      retry_waits_ = true;
    }
  }
  if (any_up) {
    TryNext();
    return;
  }
  pool_->timer().At(when, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnPauseOver();
  });
}

void Call::OnPauseOver() {
  bool waits_for_answer = false;
  Status error;
  {
    const std::lock_guard lock(mutex_);
    retry_waits_ = false;
    error = last_error_;
    waits_for_answer = std::find(busy_.begin(), busy_.end(), true) != busy_.end();
  }
  if (Now() < deadline_) {
    TryNext();
  } else if (!waits_for_answer) {
    Fail(error);
  }
}

void Call::Fail(const Status& status) { Finish(status); }

void Call::Finish(Result<InferReply> result) {
  Client::Done done;
  {
    const std::lock_guard lock(mutex_);
    if (!done_) return;
    done = std::exchange(done_, nullptr);
    for (const auto& attempt : attempts_) {
      // Under the lock, since an attempt that closes gives its context away.
      if (attempt->open) attempt->context->TryCancel();
    }
    if (result.ok()) result->attempts = static_cast<int>(attempts_.size());
  }
  done(std::move(result));
}

}  // namespace braid::client
