#include "braid/cli/bench_serve/grpc_port.h"

#include <atomic>
#include <utility>

#include "braid/client/client.h"

namespace braid::cli {
namespace {

class GrpcPort final : public LoadPort {
 public:
  GrpcPort(std::unique_ptr<client::Client> client, const GrpcPortOptions& options)
      : most_open_(options.most_open), client_(std::move(client)) {
    request_.height = options.height;
    request_.width = options.width;
    request_.channels = options.channels;
    request_.deadline = options.deadline;
    const int pixels = options.height * options.width * options.channels;
    for (int i = 0; i < pixels; ++i) request_.pixels.push_back(static_cast<uint8_t>(i * 37));
  }
  void Send(std::function<void(const Status&)> done) override {
    if (++open_ > most_open_) {
      --open_;
      return done(Status(StatusCode::kCancelled, "too many requests are open"));
    }
    client_->InferAsync(request_,
                        [this, done = std::move(done)](const Result<client::InferReply>& reply) {
                          --open_;
                          done(reply.status());
                        });
  }
  int64_t refused_here() const override { return client_->Counts().shed; }

 private:
  const int most_open_;
  std::atomic<int> open_ = 0;
  client::InferRequest request_;
  const std::unique_ptr<client::Client> client_;
};

}  // namespace

Result<std::unique_ptr<LoadPort>> OpenGrpcPort(const GrpcPortOptions& options) {
  client::ClientOptions client;
  client.endpoints = {options.address};
  client.model = options.model;
  client.attempt_timeout = std::chrono::seconds(30);  // one endpoint: nobody else to ask
  BRAID_ASSIGN_OR_RETURN(auto made, client::Client::Create(client));
  return std::unique_ptr<LoadPort>(std::make_unique<GrpcPort>(std::move(made), options));
}

}  // namespace braid::cli
