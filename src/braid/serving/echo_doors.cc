#include "braid/serving/echo_doors.h"

#include <grpcpp/grpcpp.h>

#include "braid/protocol/names.h"
#include "braid/protocol/open_inference.grpc.pb.h"
#include "braid/serving/http_server.h"

namespace braid::serving {
namespace {

class EchoService final : public inference::GRPCInferenceService::CallbackService {
 public:
  explicit EchoService(int classes) : logits_(static_cast<size_t>(classes) * 4, '\0') {}

  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* request,
                                       inference::ModelInferResponse* response) override {
    response->set_model_name("echo");
    response->set_model_version("1");
    response->set_id(request->id());
    auto* logits = response->add_outputs();
    logits->set_name(std::string(protocol::kLogitsTensor));
    logits->set_datatype(std::string(protocol::kInt32));
    logits->add_shape(1);
    logits->add_shape(static_cast<int64_t>(logits_.size() / 4));
    response->add_raw_output_contents(logits_);
    auto* classes = response->add_outputs();
    classes->set_name(std::string(protocol::kClassTensor));
    classes->set_datatype(std::string(protocol::kInt64));
    classes->add_shape(1);
    response->add_raw_output_contents(std::string(8, '\0'));
    auto* reactor = context->DefaultReactor();
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
  const std::string logits_;
};

class EchoDoorsImpl final : public EchoDoors {
 public:
  explicit EchoDoorsImpl(int classes) : service_(classes) {}

  Status Start(EventLoop* loop, int classes) {
    const std::string head =
        R"({"model_name":"echo","model_version":"1","outputs":[{"name":"logits","datatype":)"
        R"("INT32","shape":[1,)" + std::to_string(classes) +
        R"(],"parameters":{"binary_data_size":)" + std::to_string(4 * classes) +
        R"(}},{"name":"class","datatype":"INT64","shape":[1],"parameters":{"binary_data_size":8}}]})";
    const std::string body = head + std::string(static_cast<size_t>(classes) * 4 + 8, '\0');
    const std::string length = std::to_string(head.size());
    BRAID_ASSIGN_OR_RETURN(
        http_, HttpServer::Open(loop, {},
                                [body, length](const HttpRequest& request,
                                               const std::shared_ptr<HttpExchange>& exchange) {
                                  HttpResponse response;
                                  if (request.body.empty()) response.status = 400;
                                  response.content_type = "application/octet-stream";
                                  response.headers.emplace_back("Inference-Header-Content-Length",
                                                                length);
                                  response.body = body;
                                  exchange->Reply(std::move(response));
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
  EchoService service_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

}  // namespace

Result<std::unique_ptr<EchoDoors>> EchoDoors::Open(EventLoop* loop, int classes) {
  auto doors = std::make_unique<EchoDoorsImpl>(classes);
  BRAID_RETURN_IF_ERROR(doors->Start(loop, classes));
  return std::unique_ptr<EchoDoors>(std::move(doors));
}

}  // namespace braid::serving
