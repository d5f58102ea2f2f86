#include "braid/client/call.h"

#include <charconv>
#include <string>
#include <utility>

#include "braid/client/codec.h"
#include "braid/protocol/grpc_status.h"
#include "braid/protocol/names.h"

namespace braid::client {
namespace {

TimePoint Now() { return std::chrono::steady_clock::now(); }

// The server's wish in the trailing metadata of a refusal; nothing when there is none or it says
// something else than milliseconds.
std::optional<Duration> RetryHint(const grpc::ClientContext& context) {
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto found = trailers.find(
      grpc::string_ref(protocol::kRetryPushback.data(), protocol::kRetryPushback.size()));
  if (found == trailers.end()) return std::nullopt;
  const grpc::string_ref text = found->second;
  int64_t ms = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
  constexpr int64_t kLongestMs = 3'600'000;
  if (error != std::errc() || end != text.data() + text.size() || ms < 0 || ms > kLongestMs) {
    return std::nullopt;
  }
  return std::chrono::milliseconds(ms);
}

}  // namespace

Call::Call(Pool* pool, inference::ModelInferRequest message, InferRequest request,
           TimePoint deadline, Client::Done done)
    : pool_(pool),
      message_(std::move(message)),
      request_(std::move(request)),
      images_(request_.images),
      started_(Now()),
      deadline_(deadline),
      plan_(&pool->options(), pool->state(), deadline),
      done_(std::move(done)) {
  if (pool->options().local == nullptr) request_.pixels = {};
}

void Call::Start() {
  Advance([this](TimePoint now) { return plan_.Start(now); });
}

void Call::Advance(const std::function<CallSteps(TimePoint now)>& step) {
  std::optional<TimePoint> next;
  const CallSteps steps = pool_->WithState([&](CallState*) {
    CallSteps made = step(Now());
    next = plan_.NextTime();
    return made;
  });
  for (const CallStep& todo : steps) {
    switch (todo.kind) {
      case CallStep::Kind::kSend:
        Send(todo.endpoint);
        break;
      case CallStep::Kind::kProbe:
        pool_->ProbeAt(todo.when, todo.endpoint);
        break;
      case CallStep::Kind::kLocal:
        RunLocal();
        break;
      case CallStep::Kind::kFail:
        Finish(todo.status);
        break;
    }
  }
  if (!next.has_value()) return;
  {
    const std::lock_guard lock(mutex_);
    if (!done_ || (armed_.has_value() && *armed_ <= *next)) return;
    armed_ = next;
  }
  pool_->timer().At(*next, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    {
      const std::lock_guard lock(self->mutex_);
      if (!self->done_) return;
      self->armed_.reset();
    }
    self->Advance([&](TimePoint now) { return self->plan_.OnTime(now); });
  });
}

void Call::Send(int endpoint) {
  auto attempt = std::make_shared<Attempt>();  // shared by the callback and the list of open ones
  attempt->endpoint = endpoint;
  attempt->context->set_deadline(ToSystemTime(deadline_));
  bool over = false;
  {
    const std::lock_guard lock(mutex_);
    over = !done_;
    if (!over) {
      open_[endpoint] = attempt;
      ++attempts_;
    }
  }
  if (!over && !pool_->Begin(attempt->context.get())) {
    over = true;
    const std::lock_guard lock(mutex_);
    open_.erase(endpoint);
  }
  if (over) {
    pool_->WithState([&](CallState*) { plan_.OnDropped(endpoint); });
    Fail({StatusCode::kCancelled, "the client closes"});
    return;
  }
  pool_->endpoint(endpoint).inference->async()->ModelInfer(
      attempt->context.get(), &message_, &attempt->response,
      [self = shared_from_this(), attempt](const grpc::Status& outcome) {
        self->OnFinished(attempt, outcome);
        self->pool_->End(std::move(attempt->context));
      });
}

void Call::OnFinished(const std::shared_ptr<Attempt>& attempt, const grpc::Status& outcome) {
  const int endpoint = attempt->endpoint;
  {
    const std::lock_guard lock(mutex_);
    open_.erase(endpoint);  // no longer to be cancelled
  }
  const Status status = protocol::FromGrpc(outcome);
  if (!status.ok()) {
    const auto hint = RetryHint(*attempt->context);
    Advance([&](TimePoint now) { return plan_.OnFailed(endpoint, status, hint, now); });
    return;
  }
  pool_->WithState([&](CallState*) { plan_.OnAnswered(endpoint, Now()); });
  Result<InferReply> reply = DecodeResponse(attempt->response, images_);
  if (reply.ok()) {
    reply->endpoint = pool_->address(endpoint);
    reply->elapsed = Now() - started_;
  }
  Finish(std::move(reply));
}

void Call::RunLocal() {
  if (!pool_->BeginLocal()) return Fail({StatusCode::kCancelled, "the client closes"});
  InferRequest request = request_;
  request.deadline = std::max<Duration>(deadline_ - Now(), Duration{1});
  pool_->options().local->Run(std::move(request), [self = shared_from_this()](
                                                      Result<InferReply> reply) mutable {
    if (reply.ok()) {
      reply->endpoint = "local";
      reply->answered_locally = true;
      reply->elapsed = Now() - self->started_;
      self->Finish(std::move(reply));
    } else {
      self->Advance([&](TimePoint now) { return self->plan_.OnLocalFailed(reply.status(), now); });
    }
    Pool* const pool = self->pool_;
    self.reset();
    pool->EndLocal();
  });
}

void Call::Fail(const Status& status) { Finish(status); }

void Call::Finish(Result<InferReply> result) {
  pool_->WithState([&](CallState*) { plan_.End(Now()); });
  Client::Done done;
  {
    const std::lock_guard lock(mutex_);
    if (!done_) return;
    done = std::exchange(done_, nullptr);
    // Under the lock, since an attempt that ends gives its context away.
    for (const auto& [endpoint, attempt] : open_) attempt->context->TryCancel();
    if (result.ok()) result->attempts = attempts_;
  }
  done(std::move(result));
}

}  // namespace braid::client
