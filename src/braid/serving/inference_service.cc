#include "braid/serving/inference_service.h"

#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "braid/protocol/grpc_status.h"
#include "braid/protocol/names.h"
#include "braid/serving/request.h"

namespace braid::serving {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;

// Runs `body` (returns Status); what a library throws ends here, as an error of this call alone.
template <typename Body>
Status Contain(Body body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("out of memory");
  } catch (const std::exception& error) {
    return Internal(error.what());
  }
}

template <typename Body>
grpc::ServerUnaryReactor* AnswerNow(grpc::CallbackServerContext* context, Body body) {
  auto* reactor = context->DefaultReactor();
  reactor->Finish(protocol::ToGrpc(Contain(std::move(body))));
  return reactor;
}

std::optional<Duration> Remaining(const grpc::CallbackServerContext& context) {
  const auto deadline = context.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return std::nullopt;
  return deadline - std::chrono::system_clock::now();
}

// One ModelInfer in flight. gRPC owns the reactor's life (OnDone), the device the callback's; the
// two meet in `Link`, shared by both, since either may be over first.
class InferCall final : public grpc::ServerUnaryReactor {
 public:
  struct Link {
    std::mutex mutex;
    InferCall* call = nullptr;  // null once the call has been finished
  };

  InferCall(const model::Network& network, ReplyForm form, ModelInferResponse* response)
      : network_(network), form_(std::move(form)), response_(response) {
    link_->call = this;
  }

  const std::shared_ptr<Link>& link() const { return link_; }

  // `link` rather than this: the call may be gone.
  static void Complete(const std::shared_ptr<Link>& link,
                       const Result<cluster::InferResult>& result) {
    const std::lock_guard lock(link->mutex);
    InferCall* call = std::exchange(link->call, nullptr);
    if (call == nullptr) return;
    const Status status = Contain([&]() -> Status {
      if (!result.ok()) return result.status();
      FillResponse(*result, call->form_, call->network_, call->response_);
      return OkStatus();
    });
    call->Finish(protocol::ToGrpc(status));
  }

  // The client went away or its deadline passed: nobody reads the answer. The device gives the
  // work up at the request's deadline, which is the call's.
  void OnCancel() override {
    const std::shared_ptr<Link> link = link_;
    const std::lock_guard lock(link->mutex);
    if (std::exchange(link->call, nullptr) != nullptr) Finish(grpc::Status::CANCELLED);
  }

  void OnDone() override { delete this; }

 private:
  const model::Network& network_;
  const ReplyForm form_;
  ModelInferResponse* const response_;
  const std::shared_ptr<Link> link_ = std::make_shared<Link>();
};

}  // namespace

InferenceService::InferenceService(cluster::Device* device, std::function<bool()> ready,
                                   std::string version)
    : device_(device), ready_(std::move(ready)), version_(std::move(version)) {}

grpc::ServerUnaryReactor* InferenceService::ServerLive(grpc::CallbackServerContext* context,
                                                       const inference::ServerLiveRequest*,
                                                       inference::ServerLiveResponse* response) {
  return AnswerNow(context, [&] {
    response->set_live(true);
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* InferenceService::ServerReady(grpc::CallbackServerContext* context,
                                                        const inference::ServerReadyRequest*,
                                                        inference::ServerReadyResponse* response) {
  return AnswerNow(context, [&] {
    response->set_ready(ready_());
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* InferenceService::ModelReady(grpc::CallbackServerContext* context,
                                                       const inference::ModelReadyRequest* request,
                                                       inference::ModelReadyResponse* response) {
  return AnswerNow(context, [&]() -> Status {
    BRAID_RETURN_IF_ERROR(
        CheckModelName(device_->model().network, request->name(), request->version()));
    response->set_ready(ready_());
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* InferenceService::ServerMetadata(
    grpc::CallbackServerContext* context, const inference::ServerMetadataRequest*,
    inference::ServerMetadataResponse* response) {
  return AnswerNow(context, [&] {
    response->set_name("braid");
    response->set_version(version_);
    response->add_extensions("braid_parameters");
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* InferenceService::ModelMetadata(
    grpc::CallbackServerContext* context, const inference::ModelMetadataRequest* request,
    inference::ModelMetadataResponse* response) {
  return AnswerNow(context, [&]() -> Status {
    const model::Network& network = device_->model().network;
    BRAID_RETURN_IF_ERROR(CheckModelName(network, request->name(), request->version()));
    FillMetadata(network, response);
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* InferenceService::ModelInfer(grpc::CallbackServerContext* context,
                                                       const ModelInferRequest* request,
                                                       ModelInferResponse* response) {
  const model::Network& network = device_->model().network;
  std::optional<ParsedRequest> parsed;
  const Status status = Contain([&]() -> Status {
    BRAID_ASSIGN_OR_RETURN(
        parsed, ParseRequest(*request, network, device_->options().max_batch, Remaining(*context)));
    return OkStatus();
  });
  if (!status.ok()) {
    return AnswerNow(context, [&] { return status; });
  }
  auto* call = new InferCall(network, std::move(parsed->form), response);  // OnDone deletes it
  const std::shared_ptr<InferCall::Link> link = call->link();
  const Status submitted = Contain([&] {
    device_->Submit(std::move(parsed->infer), [link](const Result<cluster::InferResult>& result) {
      InferCall::Complete(link, result);
    });
    return OkStatus();
  });
  if (!submitted.ok()) InferCall::Complete(link, submitted);
  return call;
}

}  // namespace braid::serving
