#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <utility>

#include "braid/cli/bench_serve/grpc_port.h"
#include "braid/client/codec.h"
#include "braid/client/endpoint.h"
#include "braid/protocol/grpc_status.h"

namespace braid::cli {
namespace {

class StubPort final : public LoadPort {
 public:
  StubPort(inference::ModelInferRequest request, const GrpcPortOptions& options)
      : options_(options),
        request_(std::move(request)),
        endpoint_(client::Connect(options.address, {})) {}

  void Send(std::function<void(const Status&)> done) override {
    if (++open_ > options_.most_open) {
      --open_;
      return done(Status(StatusCode::kCancelled, "too many requests are open"));
    }
    auto* call = new Call(std::move(done));  // owned by the callback, which always comes
    call->context.set_deadline(std::chrono::system_clock::now() + options_.deadline);
    call->context.set_wait_for_ready(true);
    endpoint_->inference->async()->ModelInfer(&call->context, &request_, &call->response,
                                              [this, call](const grpc::Status& status) {
                                                --open_;
                                                const auto done = std::move(call->done);
                                                delete call;
                                                done(protocol::FromGrpc(status));
                                              });
  }

 private:
  struct Call {
    explicit Call(std::function<void(const Status&)> when_done) : done(std::move(when_done)) {}
    std::function<void(const Status&)> done;
    grpc::ClientContext context;
    inference::ModelInferResponse response;
  };

  const GrpcPortOptions options_;
  const inference::ModelInferRequest request_;
  std::atomic<int> open_ = 0;
  const std::unique_ptr<client::Endpoint> endpoint_;
};

}  // namespace

Result<std::unique_ptr<LoadPort>> OpenStubPort(const GrpcPortOptions& options) {
  client::InferRequest request;
  request.height = options.height;
  request.width = options.width;
  request.channels = options.channels;
  const int pixels = options.height * options.width * options.channels;
  for (int i = 0; i < pixels; ++i) request.pixels.push_back(static_cast<uint8_t>(i * 37));
  BRAID_ASSIGN_OR_RETURN(auto message, client::EncodeRequest(request, options.model));
  return std::unique_ptr<LoadPort>(std::make_unique<StubPort>(std::move(message), options));
}

}  // namespace braid::cli
