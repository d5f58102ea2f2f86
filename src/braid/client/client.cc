#include "braid/client/client.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <future>
#include <map>
#include <mutex>
#include <utility>

#include "braid/client/call.h"
#include "braid/client/codec.h"
#include "braid/client/pool.h"
#include "braid/protocol/grpc_status.h"

namespace braid::client {
namespace {

TimePoint Now() { return std::chrono::steady_clock::now(); }

class ClientImpl final : public Client {
 public:
  explicit ClientImpl(const ClientOptions& options) : pool_(options) {}

  ~ClientImpl() override {
    std::map<Call*, std::shared_ptr<Call>> open;
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
      open = calls_;
    }
    for (const auto& [key, call] : open) call->Fail({StatusCode::kCancelled, "the client closes"});
    pool_.Close();
  }

  void InferAsync(InferRequest request, Done done) override {
    const TimePoint deadline = Now() + request.deadline.value_or(pool_.options().deadline);
    Result<inference::ModelInferRequest> message = EncodeRequest(request, pool_.options().model);
    if (!message.ok()) {
      done(message.status());
      return;
    }
    // The call is known here from before its start until its answer, so that none is lost when the
    // client closes. `key` is set before the call can finish.
    auto key = std::make_shared<Call*>(nullptr);  // shared with the callback made before the call
    auto call =
        std::make_shared<Call>(&pool_, std::move(message).value(), std::move(request), deadline,
                               [this, key, done = std::move(done)](Result<InferReply> reply) {
                                 {
                                   const std::lock_guard lock(mutex_);
                                   calls_.erase(*key);
                                 }
                                 done(std::move(reply));
                               });
    *key = call.get();
    bool closing = false;
    {
      const std::lock_guard lock(mutex_);
      closing = closing_;
      if (!closing) calls_.emplace(call.get(), call);
    }
    if (closing) {
      call->Fail({StatusCode::kCancelled, "the client closes"});
    } else {
      call->Start();
    }
  }

  Result<ModelInfo> Model(Duration deadline) override {
    const TimePoint until = Now() + deadline;
    Status last = Unavailable("no endpoint");
    for (int turn = 0;; ++turn) {
      const int index = turn % pool_.size();
      grpc::ClientContext context;
      // A frozen endpoint may not use up the time of the others.
      context.set_deadline(ToSystemTime(
          pool_.size() == 1 ? until : std::min(until, Now() + pool_.options().attempt_timeout)));
      inference::ModelMetadataRequest request;
      request.set_name(pool_.options().model);
      inference::ModelMetadataResponse response;
      const Status status = protocol::FromGrpc(
          pool_.endpoint(index).inference->ModelMetadata(&context, request, &response));
      if (status.ok()) return DecodeMetadata(response);
      last = status.WithContext(pool_.address(index));
      if (status.code() == StatusCode::kNotFound) return last;
      const TimePoint next = Now() + std::chrono::milliseconds(10);
      if (next >= until) return last;
      std::this_thread::sleep_until(next);
    }
  }

  Status WaitReady(int count, Duration deadline) override {
    const TimePoint until = Now() + deadline;
    for (;;) {
      int ready = 0;
      Status missing;
      for (int i = 0; i < pool_.size(); ++i) {
        const Status status = HealthOf(i, until);
        if (status.ok()) {
          ++ready;
        } else {
          missing = status.WithContext(pool_.address(i));
        }
      }
      if (ready >= count) return OkStatus();
      const TimePoint next = Now() + std::chrono::milliseconds(5);
      if (next >= until) {
        return DeadlineExceeded(std::to_string(ready) + " of " + std::to_string(count) +
                                " endpoints ready; " + missing.message());
      }
      std::this_thread::sleep_until(next);
    }
  }

  std::vector<EndpointReport> Endpoints() const override { return pool_.Reports(); }
  ClientCounts Counts() const override { return pool_.Counts(); }

 private:
  Status HealthOf(int index, TimePoint until) {
    // Shared: the callback may still be inside set_value when the waiter has what it wanted.
    auto answer = std::make_shared<std::promise<Status>>();
    const Duration limit = std::min<Duration>(until - Now(), pool_.options().attempt_timeout);
    pool_.CheckHealth(index, limit, [answer](const Status& status) { answer->set_value(status); });
    return answer->get_future().get();
  }

  Pool pool_;
  std::mutex mutex_;
  bool closing_ = false;
  std::map<Call*, std::shared_ptr<Call>> calls_;  // not yet answered
};

}  // namespace

Result<std::unique_ptr<Client>> Client::Create(const ClientOptions& options) {
  if (options.endpoints.empty()) return InvalidArgument("endpoints: none given");
  for (const std::string& endpoint : options.endpoints) {
    const size_t colon = endpoint.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == endpoint.size()) {
      return InvalidArgument("endpoint \"" + endpoint + "\": must be host:port");
    }
  }
  if (options.deadline <= Duration::zero() || options.attempt_timeout <= Duration::zero() ||
      options.keepalive <= Duration::zero() || options.first_back_off <= Duration::zero()) {
    return InvalidArgument("client: deadlines and intervals must be above 0");
  }
  if (options.retry_share < 0 || options.retries_per_second < 0 || options.most_outstanding < 1 ||
      options.local_reserve < Duration::zero()) {
    return InvalidArgument("client: shares and limits must not be below 0, most_outstanding 1");
  }
  try {
    return std::unique_ptr<Client>(std::make_unique<ClientImpl>(options));
  } catch (const std::exception& error) {
    return Internal(std::string("client: ") + error.what());
  }
}

Result<InferReply> Client::Infer(InferRequest request) {
  // Shared: the callback may still be inside set_value when the waiter has what it wanted.
  auto answer = std::make_shared<std::promise<Result<InferReply>>>();
  InferAsync(std::move(request),
             [answer](Result<InferReply> reply) { answer->set_value(std::move(reply)); });
  return answer->get_future().get();
}

}  // namespace braid::client
