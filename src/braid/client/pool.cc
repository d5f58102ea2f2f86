#include "braid/client/pool.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "braid/protocol/grpc_status.h"

namespace braid::client {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

Pool::Pool(const ClientOptions& options) : options_(options), state_(options) {
  for (const std::string& address : options.endpoints) {
    endpoints_.push_back(Connect(address, options));
  }
}

std::vector<EndpointReport> Pool::Reports() const {
  const std::lock_guard lock(mutex_);
  return state_.table.Reports();
}

ClientCounts Pool::Counts() const {
  const std::lock_guard lock(mutex_);
  return state_.counts;
}

void Pool::ProbeAt(TimePoint when, int endpoint) {
  timer_.At(when, [this, endpoint] { Probe(endpoint); });
}

void Pool::Probe(int endpoint) {
  CheckHealth(endpoint, options_.attempt_timeout, [this, endpoint](const Status& status) {
    std::optional<TimePoint> again;
    {
      const std::lock_guard lock(mutex_);
      if (status.ok()) {
        state_.table.ProbePassed(endpoint);
      } else {
        again =
            state_.table.ProbeFailed(endpoint, status.message(), std::chrono::steady_clock::now());
      }
    }
    if (again.has_value()) ProbeAt(*again, endpoint);
  });
}

void Pool::CheckHealth(int index, Duration limit, std::function<void(Status)> done) {
  struct Call {
    std::unique_ptr<grpc::ClientContext> context = std::make_unique<grpc::ClientContext>();
    HealthCheckRequest request;
    HealthCheckResponse response;
  };
  auto call = std::make_shared<Call>();  // shared: std::function wants a copyable capture
  call->context->set_deadline(ToSystemTime(std::chrono::steady_clock::now() + limit));
  if (!Begin(call->context.get())) {
    done({StatusCode::kCancelled, "the client closes"});
    return;
  }
  endpoint(index).health->async()->Check(
      call->context.get(), &call->request, &call->response,
      [this, call, done = std::move(done)](const grpc::Status& outcome) {
        Status status = protocol::FromGrpc(outcome);
        // Servers without the health service are taken at their word: they answered.
        if (status.code() == StatusCode::kUnimplemented) {
          status = OkStatus();
        } else if (status.ok() && call->response.status() != HealthCheckResponse::SERVING) {
          status = Unavailable("not serving");
        }
        done(status);
        End(std::move(call->context));
      });
}

bool Pool::Begin(grpc::ClientContext* context) {
  const std::lock_guard lock(mutex_);
  if (closing_) return false;
  calls_.insert(context);
  ++active_;
  return true;
}

void Pool::End(std::unique_ptr<grpc::ClientContext> context) {
  {
    const std::lock_guard lock(mutex_);
    calls_.erase(context.get());
  }
  context.reset();
  const std::lock_guard lock(mutex_);
  // Under the lock: Close may destroy the pool as soon as it sees that nothing is active.
  if (--active_ == 0) idle_.notify_all();
}

bool Pool::BeginLocal() {
  const std::lock_guard lock(mutex_);
  if (closing_) return false;
  ++active_;
  return true;
}

void Pool::EndLocal() {
  const std::lock_guard lock(mutex_);
  if (--active_ == 0) idle_.notify_all();
}

void Pool::Close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  timer_.Stop();
  std::unique_lock lock(mutex_);
  // TryCancel under the lock is safe: callbacks run on gRPC's threads, never inside it.
  for (grpc::ClientContext* context : calls_) context->TryCancel();
  idle_.wait(lock, [this] { return active_ == 0; });
}

}  // namespace braid::client
