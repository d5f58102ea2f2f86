#include "braid/serving/health_service.h"

#include <utility>

namespace braid::serving {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

namespace {

HealthCheckResponse::ServingStatus StatusFor(bool serving) {
  return serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

}  // namespace

// One open Watch. Deletes itself when gRPC is done with it. Everything but OnDone's removal runs
// under the service's mutex; gRPC never calls back from inside StartWrite or Finish.
class HealthService::Watcher final : public grpc::ServerWriteReactor<HealthCheckResponse> {
 public:
  Watcher(HealthService* service, std::string name) : service_(service), name_(std::move(name)) {}

  void Update() {
    const auto known = service_->serving_.find(name_);
    latest_ = known == service_->serving_.end() ? HealthCheckResponse::SERVICE_UNKNOWN
                                                : StatusFor(known->second);
    Advance();
  }
  void End(grpc::Status status) {
    ending_ = true;
    final_status_ = std::move(status);
    Advance();
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(service_->mutex_);
    writing_ = false;
    if (!ok) ending_ = abandoned_ = true;
    Advance();
  }
  void OnCancel() override {
    const std::lock_guard lock(service_->mutex_);
    abandoned_ = true;
    End(grpc::Status::CANCELLED);
  }
  void OnDone() override {
    {
      const std::lock_guard lock(service_->mutex_);
      service_->watchers_.erase(this);
    }
    delete this;
  }

 private:
  // One write at a time; statuses that come meanwhile collapse into the latest.
  void Advance() {
    if (writing_ || finished_) return;
    if (latest_ != written_ && !abandoned_) {
      written_ = latest_;
      response_.set_status(written_);
      writing_ = true;
      StartWrite(&response_);
    } else if (ending_) {
      finished_ = true;
      Finish(final_status_);
    }
  }

  HealthService* const service_;
  const std::string name_;
  HealthCheckResponse response_;
  HealthCheckResponse::ServingStatus latest_ = HealthCheckResponse::UNKNOWN;
  HealthCheckResponse::ServingStatus written_ = HealthCheckResponse::UNKNOWN;
  grpc::Status final_status_;
  bool writing_ = false;
  bool ending_ = false;
  bool abandoned_ = false;  // nobody reads any more
  bool finished_ = false;
};

void HealthService::SetServing(const std::string& name, bool serving) {
  const std::lock_guard lock(mutex_);
  serving_[name] = serving;
  for (Watcher* watcher : watchers_) watcher->Update();
}

void HealthService::EndWatches() {
  const std::lock_guard lock(mutex_);
  ending_ = true;
  for (Watcher* watcher : watchers_) {
    watcher->End({grpc::StatusCode::UNAVAILABLE, "the device shuts down"});
  }
}

grpc::ServerUnaryReactor* HealthService::Check(grpc::CallbackServerContext* context,
                                               const HealthCheckRequest* request,
                                               HealthCheckResponse* response) {
  auto* reactor = context->DefaultReactor();
  bool known = false;
  {
    const std::lock_guard lock(mutex_);
    const auto found = serving_.find(request->service());
    known = found != serving_.end();
    if (known) response->set_status(StatusFor(found->second));
  }
  reactor->Finish(known ? grpc::Status::OK
                        : grpc::Status(grpc::StatusCode::NOT_FOUND,
                                       "service \"" + request->service() + "\" is not known"));
  return reactor;
}

grpc::ServerWriteReactor<HealthCheckResponse>* HealthService::Watch(
    grpc::CallbackServerContext* /*context*/, const HealthCheckRequest* request) {
  auto* watcher = new Watcher(this, request->service());  // deletes itself in OnDone
  const std::lock_guard lock(mutex_);
  watchers_.insert(watcher);
  watcher->Update();
  if (ending_) watcher->End({grpc::StatusCode::UNAVAILABLE, "the device shuts down"});
  return watcher;
}

}  // namespace braid::serving
