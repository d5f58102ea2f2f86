// A server of the protocol that misbehaves on request. For tests of this module only.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "braid/client/client.h"
#include "braid/protocol/health.grpc.pb.h"
#include "braid/protocol/names.h"
#include "braid/protocol/open_inference.grpc.pb.h"

namespace braid::client {

enum class Behaviour {
  kAnswer,      // class = first pixel, logits = {first pixel, port}
  kFreeze,      // takes every call, answers none, health neither
  kSlow,        // answers inferences after `slowness`, health at once
  kRefuse,      // UNAVAILABLE, health NOT_SERVING
  kOverloaded,  // RESOURCE_EXHAUSTED
  kInvalid,     // INVALID_ARGUMENT
  kGarbage,     // OK with a reply that makes no sense
};

class FakeServer {
 public:
  explicit FakeServer(Behaviour behaviour = Behaviour::kAnswer, int port = 0)
      : inference_(this), health_(this) {
    behaviour_ = behaviour;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterService(&inference_);
    builder.RegisterService(&health_);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 400);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    server_ = builder.BuildAndStart();
  }
  ~FakeServer() { Kill(); }

  // Connections are cut, calls in flight get no answer.
  void Kill() {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    server_.reset();
    std::vector<std::thread> threads;
    {
      const std::lock_guard lock(mutex_);
      threads = std::move(threads_);
    }
    for (std::thread& thread : threads) thread.join();
  }

  void Set(Behaviour behaviour) { behaviour_ = behaviour; }
  bool started() const { return server_ != nullptr; }
  int port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  int inferences() const { return inferences_; }
  inference::ModelInferRequest last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }

  // The time that the latest inference had left when it came.
  std::chrono::nanoseconds remaining() const {
    const std::lock_guard lock(mutex_);
    return remaining_;
  }
  int most_at_a_time() const { return most_at_a_time_; }

  std::chrono::milliseconds slowness{60};
  std::string pushback;  // of kOverloaded: its grpc-retry-pushback-ms, if not empty

 private:
  // Finishes when cancelled, not before.
  class Frozen final : public grpc::ServerUnaryReactor {
   public:
    explicit Frozen(std::atomic<int>* count = nullptr) : count_(count) {}
    void OnCancel() override { Finish(grpc::Status::CANCELLED); }
    void OnDone() override {
      if (count_ != nullptr) --*count_;
      delete this;
    }

   private:
    std::atomic<int>* const count_;
  };

  class Inference final : public inference::GRPCInferenceService::CallbackService {
   public:
    explicit Inference(FakeServer* server) : server_(server) {}
    grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                         const inference::ModelInferRequest* request,
                                         inference::ModelInferResponse* response) override {
      return server_->OnInfer(context, request, response);
    }
    grpc::ServerUnaryReactor* ModelMetadata(grpc::CallbackServerContext* context,
                                            const inference::ModelMetadataRequest*,
                                            inference::ModelMetadataResponse* response) override {
      if (server_->behaviour_ == Behaviour::kFreeze) return new Frozen;
      response->set_name("fake");
      response->add_versions("1");
      auto* input = response->add_inputs();
      input->set_name("input");
      for (const int dimension : {-1, 1, 2, 1}) input->add_shape(dimension);
      auto* output = response->add_outputs();
      output->set_name("logits");
      for (const int dimension : {-1, 2}) output->add_shape(dimension);
      auto* reactor = context->DefaultReactor();
      reactor->Finish(grpc::Status::OK);
      return reactor;
    }

   private:
    FakeServer* const server_;
  };

  class Health final : public grpc::health::v1::Health::CallbackService {
   public:
    explicit Health(FakeServer* server) : server_(server) {}
    grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context,
                                    const grpc::health::v1::HealthCheckRequest*,
                                    grpc::health::v1::HealthCheckResponse* response) override {
      if (server_->behaviour_ == Behaviour::kFreeze) return new Frozen;
      using grpc::health::v1::HealthCheckResponse;
      response->set_status(server_->behaviour_ == Behaviour::kRefuse
                               ? HealthCheckResponse::NOT_SERVING
                               : HealthCheckResponse::SERVING);
      auto* reactor = context->DefaultReactor();
      reactor->Finish(grpc::Status::OK);
      return reactor;
    }

   private:
    FakeServer* const server_;
  };

  grpc::ServerUnaryReactor* OnInfer(grpc::CallbackServerContext* context,
                                    const inference::ModelInferRequest* request,
                                    inference::ModelInferResponse* response) {
    const Behaviour behaviour = behaviour_;  // before it is counted: tests change it then
    ++inferences_;
    {
      const std::lock_guard lock(mutex_);
      last_ = *request;
      remaining_ = context->deadline() - std::chrono::system_clock::now();
    }
    if (behaviour == Behaviour::kFreeze) {
      const int frozen = ++frozen_;
      most_at_a_time_ = std::max(most_at_a_time_.load(), frozen);
      return new Frozen(&frozen_);
    }
    auto* reactor = context->DefaultReactor();
    switch (behaviour) {
      case Behaviour::kFreeze:
        break;
      case Behaviour::kAnswer:
        Fill(*request, response);
        reactor->Finish(grpc::Status::OK);
        break;
      case Behaviour::kSlow: {
        Fill(*request, response);
        const std::lock_guard lock(mutex_);
        threads_.emplace_back([reactor, wait = slowness] {
          std::this_thread::sleep_for(wait);
          reactor->Finish(grpc::Status::OK);
        });
        break;
      }
      case Behaviour::kRefuse:
        reactor->Finish({grpc::StatusCode::UNAVAILABLE, "not now"});
        break;
      case Behaviour::kOverloaded:
        if (!pushback.empty()) context->AddTrailingMetadata("grpc-retry-pushback-ms", pushback);
        reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too much"});
        break;
      case Behaviour::kInvalid:
        reactor->Finish({grpc::StatusCode::INVALID_ARGUMENT, "parameter \"x\": bad"});
        break;
      case Behaviour::kGarbage:
        Fill(*request, response);
        response->set_raw_output_contents(0, "odd");
        reactor->Finish(grpc::Status::OK);
        break;
    }
    return reactor;
  }

  void Fill(const inference::ModelInferRequest& request, inference::ModelInferResponse* response) {
    const int first = static_cast<unsigned char>(request.raw_input_contents(0)[0]);
    const int64_t label = first;
    const int32_t logits[] = {first, port_};
    response->set_model_name("fake");
    response->add_outputs()->set_name("class");
    response->add_outputs()->set_name("logits");
    response->add_raw_output_contents(&label, sizeof(label));
    response->add_raw_output_contents(logits, sizeof(logits));
    auto& parameters = *response->mutable_parameters();
    parameters["braid_operating_point"].set_string_param("g0+1");
    parameters["braid_devices"].set_string_param("a,b");
    parameters["braid_macs"].set_int64_param(99);
    parameters["braid_failovers"].set_int64_param(1);
  }

  std::atomic<Behaviour> behaviour_;
  std::atomic<int> inferences_ = 0;
  std::atomic<int> frozen_ = 0;  // calls that were taken and not answered
  std::atomic<int> most_at_a_time_ = 0;
  int port_ = 0;
  mutable std::mutex mutex_;
  inference::ModelInferRequest last_;
  std::chrono::nanoseconds remaining_{};
  std::vector<std::thread> threads_;
  Inference inference_;
  Health health_;
  std::unique_ptr<grpc::Server> server_;
};

inline InferRequest Request(uint8_t first = 7) {
  InferRequest request;
  request.pixels = {first, 1};
  request.height = 1;
  request.width = 2;
  request.channels = 1;
  request.deadline = std::chrono::seconds(30);  // far beyond what any test needs
  return request;
}

inline ClientOptions Options(std::vector<std::string> endpoints) {
  ClientOptions options;
  options.endpoints = std::move(endpoints);
  options.attempt_timeout = std::chrono::seconds(10);  // no hedge on a machine that merely stutters
  return options;
}

// For tests in which somebody does not answer.
inline ClientOptions Hedging(std::vector<std::string> endpoints) {
  ClientOptions options = Options(std::move(endpoints));
  options.attempt_timeout = std::chrono::milliseconds(40);
  return options;
}

inline std::unique_ptr<Client> Connected(const ClientOptions& options) {
  auto client = Client::Create(options);
  EXPECT_TRUE(client.ok()) << client.status().ToString();
  return std::move(client).value();
}

}  // namespace braid::client
