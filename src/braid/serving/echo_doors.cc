#include "braid/serving/echo_doors.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

#include "braid/protocol/names.h"
#include "braid/protocol/open_inference.grpc.pb.h"
#include "braid/serving/http_server.h"
#include "braid/serving/rest_status.h"

namespace braid::serving {
namespace {

// What both doors answer with: the bytes of `logits` and `class`.
class Answerer {
 public:
  Answerer(int classes, EchoAnswer answer)
      : zeros_(static_cast<size_t>(classes) * 4 + 8, '\0'), answer_(std::move(answer)) {}

  // s32 logits, then the s64 class.
  Result<std::string> operator()(std::string_view pixels) {
    if (answer_ == nullptr) return zeros_;
    std::vector<int32_t> logits((zeros_.size() - 8) / 4);
    {
      const std::lock_guard lock(mutex_);
      BRAID_RETURN_IF_ERROR(answer_(pixels, logits));
    }
    const int64_t best = std::ranges::max_element(logits) - logits.begin();
    std::string bytes = zeros_;
    std::memcpy(bytes.data(), logits.data(), logits.size() * 4);
    std::memcpy(bytes.data() + logits.size() * 4, &best, sizeof(best));
    return bytes;
  }
  size_t logit_bytes() const { return zeros_.size() - 8; }

 private:
  const std::string zeros_;
  std::mutex mutex_;
  const EchoAnswer answer_;  // guarded by mutex_
};

class EchoService final : public inference::GRPCInferenceService::CallbackService {
 public:
  explicit EchoService(Answerer* answerer) : answerer_(answerer) {}

  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* request,
                                       inference::ModelInferResponse* response) override {
    auto* reactor = context->DefaultReactor();
    const auto answer = (*answerer_)(
        request->raw_input_contents_size() > 0 ? request->raw_input_contents(0) : "");
    if (!answer.ok()) {
      reactor->Finish({grpc::StatusCode::INTERNAL, std::string(answer.status().message())});
      return reactor;
    }
    const size_t bytes = answerer_->logit_bytes();
    response->set_model_name("echo");
    response->set_model_version("1");
    response->set_id(request->id());
    auto* logits = response->add_outputs();
    logits->set_name(std::string(protocol::kLogitsTensor));
    logits->set_datatype(std::string(protocol::kInt32));
    logits->add_shape(1);
    logits->add_shape(static_cast<int64_t>(bytes / 4));
    response->add_raw_output_contents(answer->substr(0, bytes));
    auto* classes = response->add_outputs();
    classes->set_name(std::string(protocol::kClassTensor));
    classes->set_datatype(std::string(protocol::kInt64));
    classes->add_shape(1);
    response->add_raw_output_contents(answer->substr(bytes));
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  grpc::ServerUnaryReactor* ServerReady(grpc::CallbackServerContext* context,
                                        const inference::ServerReadyRequest*,
                                        inference::ServerReadyResponse* response) override {
    response->set_ready(true);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

 private:
  Answerer* const answerer_;
};

class EchoDoorsImpl final : public EchoDoors {
 public:
  EchoDoorsImpl(int classes, EchoAnswer answer)
      : answerer_(classes, std::move(answer)), service_(&answerer_) {}

  Status Start(EventLoop* loop, int classes) {
    const std::string head =
        R"({"model_name":"echo","model_version":"1","outputs":[{"name":"logits","datatype":)"
        R"("INT32","shape":[1,)" + std::to_string(classes) +
        R"(],"parameters":{"binary_data_size":)" + std::to_string(4 * classes) +
        R"(}},{"name":"class","datatype":"INT64","shape":[1],"parameters":{"binary_data_size":8}}]})";
    BRAID_ASSIGN_OR_RETURN(
        http_, HttpServer::Open(loop, {},
                                [this, head](const HttpRequest& request,
                                             const std::shared_ptr<HttpExchange>& exchange) {
                                  exchange->Reply(AnswerRest(head, request));
                                }));
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    return server_ == nullptr ? Unavailable("gRPC: cannot be bound") : OkStatus();
  }
  ~EchoDoorsImpl() override {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  }
  std::string grpc_address() const override { return "127.0.0.1:" + std::to_string(port_); }
  std::string rest_address() const override { return http_->address(); }

 private:
  HttpResponse AnswerRest(const std::string& head, const HttpRequest& request) {
    size_t json = 0;
    if (request.inference_header_length) {
      const std::string_view text = *request.inference_header_length;
      std::from_chars(text.data(), text.data() + text.size(), json);
    }
    const auto answer = answerer_(request.body.substr(std::min(json, request.body.size())));
    if (request.body.empty() || !answer.ok()) return ErrorResponse(400, "no inference request");
    HttpResponse response;
    response.content_type = "application/octet-stream";
    response.headers.emplace_back("Inference-Header-Content-Length", std::to_string(head.size()));
    response.body = head + *answer;
    return response;
  }

  Answerer answerer_;  // before the doors that use it
  EchoService service_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

}  // namespace

Result<std::unique_ptr<EchoDoors>> EchoDoors::Open(EventLoop* loop, int classes,
                                                   EchoAnswer answer) {
  auto doors = std::make_unique<EchoDoorsImpl>(classes, std::move(answer));
  BRAID_RETURN_IF_ERROR(doors->Start(loop, classes));
  return std::unique_ptr<EchoDoors>(std::move(doors));
}

}  // namespace braid::serving
