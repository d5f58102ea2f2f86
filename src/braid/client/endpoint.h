// One endpoint's connection. Layer: client.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "braid/client/client.h"
#include "braid/protocol/health.grpc.pb.h"
#include "braid/protocol/open_inference.grpc.pb.h"

namespace braid::client {

struct Endpoint {
  std::shared_ptr<grpc::Channel> channel;  // shared with its stubs, which is gRPC's interface
  std::unique_ptr<inference::GRPCInferenceService::Stub> inference;
  std::unique_ptr<grpc::health::v1::Health::Stub> health;
};

std::unique_ptr<Endpoint> Connect(const std::string& address, const ClientOptions& options);

// `deadline` on the monotonic clock as gRPC wants it.
std::chrono::system_clock::time_point ToSystemTime(TimePoint deadline);

}  // namespace braid::client
