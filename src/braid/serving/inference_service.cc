#include "braid/serving/inference_service.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "braid/protocol/grpc_status.h"
#include "braid/protocol/names.h"
#include "braid/serving/descriptions.h"
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

// One ModelInfer in flight. gRPC owns the reactor's life (OnDone), the model the callback's; the
// two meet in `Link`, shared by both, since either may be over first.
class InferCall final : public grpc::ServerUnaryReactor {
 public:
  struct Link {
    std::mutex mutex;
    InferCall* call = nullptr;  // null once the call has been finished
  };

  InferCall(Catalog::ModelPtr model, ReplyForm form, grpc::CallbackServerContext* context,
            ModelInferResponse* response)
      : model_(std::move(model)),
        form_(std::move(form)),
        context_(context),
        response_(response) {
    link_->call = this;
  }

  void Start(Job job) {
    job.done = [link = link_](const Result<Answer>& answer) { Complete(link, answer); };
    // Completing may free this call: nothing of it is used after Submit but under the link's lock.
    const std::shared_ptr<Link> link = link_;
    const Catalog::ModelPtr model = model_;
    const Dispatcher::Ticket ticket = model->dispatcher().Submit(std::move(job));
    bool cancelled = false;
    {
      const std::lock_guard lock(link->mutex);
      if (link->call != nullptr) {
        link->call->ticket_ = ticket;
      } else {
        cancelled = true;  // finished meanwhile, which Cancel tells apart
      }
    }
    if (cancelled) model->dispatcher().Cancel(ticket);
  }

  // The client went away or its deadline passed: nobody reads the answer.
  void OnCancel() override {
    const std::shared_ptr<Link> link = link_;
    const Catalog::ModelPtr model = model_;
    Dispatcher::Ticket ticket;
    {
      const std::lock_guard lock(link->mutex);
      InferCall* call = std::exchange(link->call, nullptr);
      if (call == nullptr) return;
      ticket = call->ticket_;
      call->Finish(grpc::Status::CANCELLED);
    }
    model->dispatcher().Cancel(ticket);
  }

  void OnDone() override { delete this; }

  // OnDone and OnCancel never wait, so gRPC need not wake a thread of its executor for them, as its
  // default reactor does not either: that would be one more change of thread for each request.
  bool InternalInlineable() override { return true; }

 private:
  // `link` rather than this: the call may be gone.
  static void Complete(const std::shared_ptr<Link>& link, const Result<Answer>& answer) {
    const std::lock_guard lock(link->mutex);
    InferCall* call = std::exchange(link->call, nullptr);
    if (call == nullptr) return;
    const Status status = Contain([&]() -> Status {
      if (!answer.ok()) return answer.status();
      const TimePoint begun = std::chrono::steady_clock::now();
      call->response_->set_model_name(call->model_->name());
      call->response_->set_model_version(call->model_->version());
      FillResponse(*answer, call->form_, call->model_->network(), call->response_);
      call->model_->statistics().AddOutput(std::chrono::steady_clock::now() - begun);
      return OkStatus();
    });
    if (status.code() == StatusCode::kResourceExhausted) call->SayWhenToRetry();
    call->Finish(protocol::ToGrpc(status));
  }

  // What Retry-After is at the other door.
  void SayWhenToRetry() {
    const auto wait =
        std::chrono::ceil<std::chrono::milliseconds>(model_->dispatcher().ExpectedWait());
    context_->AddTrailingMetadata(std::string(protocol::kRetryPushback),
                                  std::to_string(std::max<int64_t>(1, wait.count())));
  }

  const Catalog::ModelPtr model_;
  const ReplyForm form_;
  grpc::CallbackServerContext* const context_;  // gRPC's, until OnDone
  ModelInferResponse* const response_;
  Dispatcher::Ticket ticket_;  // guarded by the link's mutex
  const std::shared_ptr<Link> link_ = std::make_shared<Link>();
};

}  // namespace

InferenceService::InferenceService(const Catalog* catalog, Access* access, std::string version)
    : catalog_(catalog), access_(access), version_(std::move(version)) {}

Status InferenceService::CheckToken(const grpc::CallbackServerContext& context) const {
  if (access_->open()) return OkStatus();
  const auto header = context.client_metadata().find("authorization");
  if (header == context.client_metadata().end()) return access_->Check({});
  return access_->Check({header->second.data(), header->second.size()});
}

template <typename Body>
grpc::ServerUnaryReactor* InferenceService::AnswerIfAllowed(grpc::CallbackServerContext* context,
                                                            Body body) const {
  return AnswerNow(context, [&]() -> Status {
    BRAID_RETURN_IF_ERROR(CheckToken(*context));
    return body();
  });
}

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
    response->set_ready(catalog_->ready());
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* InferenceService::ModelReady(grpc::CallbackServerContext* context,
                                                       const inference::ModelReadyRequest* request,
                                                       inference::ModelReadyResponse* response) {
  return AnswerIfAllowed(context, [&]() -> Status {
    BRAID_ASSIGN_OR_RETURN(const auto model, catalog_->Find(request->name(), request->version()));
    response->set_ready(model->ready() && !catalog_->draining());
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* InferenceService::ServerMetadata(
    grpc::CallbackServerContext* context, const inference::ServerMetadataRequest*,
    inference::ServerMetadataResponse* response) {
  return AnswerIfAllowed(context, [&] {
    FillServerMetadata(version_, response);
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* InferenceService::ModelMetadata(
    grpc::CallbackServerContext* context, const inference::ModelMetadataRequest* request,
    inference::ModelMetadataResponse* response) {
  return AnswerIfAllowed(context, [&]() -> Status {
    BRAID_ASSIGN_OR_RETURN(const auto model, catalog_->Find(request->name(), request->version()));
    FillMetadata(*model, catalog_->Versions(model->name()), response);
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* InferenceService::ModelConfig(
    grpc::CallbackServerContext* context, const inference::ModelConfigRequest* request,
    inference::ModelConfigResponse* response) {
  return AnswerIfAllowed(context, [&]() -> Status {
    BRAID_ASSIGN_OR_RETURN(const auto model, catalog_->Find(request->name(), request->version()));
    FillConfig(*model, response->mutable_config());
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* InferenceService::ModelStatistics(
    grpc::CallbackServerContext* context, const inference::ModelStatisticsRequest* request,
    inference::ModelStatisticsResponse* response) {
  return AnswerIfAllowed(context, [&] {
    return FillStatistics(*catalog_, request->name(), request->version(), response);
  });
}

grpc::ServerUnaryReactor* InferenceService::RepositoryIndex(
    grpc::CallbackServerContext* context, const inference::RepositoryIndexRequest* request,
    inference::RepositoryIndexResponse* response) {
  return AnswerIfAllowed(context, [&] {
    FillIndex(*catalog_, request->ready(), response);
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* InferenceService::RepositoryModelLoad(
    grpc::CallbackServerContext* context, const inference::RepositoryModelLoadRequest*,
    inference::RepositoryModelLoadResponse*) {
  return AnswerIfAllowed(context, [] { return RefuseLoading(); });
}

grpc::ServerUnaryReactor* InferenceService::RepositoryModelUnload(
    grpc::CallbackServerContext* context, const inference::RepositoryModelUnloadRequest*,
    inference::RepositoryModelUnloadResponse*) {
  return AnswerIfAllowed(context, [] { return RefuseLoading(); });
}

grpc::ServerUnaryReactor* InferenceService::ModelInfer(grpc::CallbackServerContext* context,
                                                       const ModelInferRequest* request,
                                                       ModelInferResponse* response) {
  const TimePoint arrived = std::chrono::steady_clock::now();
  Catalog::ModelPtr model;
  std::optional<ParsedRequest> parsed;
  const Status status = Contain([&]() -> Status {
    BRAID_RETURN_IF_ERROR(CheckToken(*context));
    BRAID_ASSIGN_OR_RETURN(model,
                           catalog_->Find(request->model_name(), request->model_version()));
    BRAID_ASSIGN_OR_RETURN(parsed, ParseRequest(*request, model->network(), model->max_batch(),
                                                Remaining(*context)));
    return OkStatus();
  });
  if (!status.ok()) {
    if (model != nullptr) model->statistics().AddFailure(status.code(), Duration{}, false);
    return AnswerNow(context, [&] { return status; });
  }
  auto* call =  // see OnDone
      new InferCall(std::move(model), std::move(parsed->form), context, response);
  call->Start(MakeJob(std::move(*parsed), arrived));
  return call;
}

}  // namespace braid::serving
