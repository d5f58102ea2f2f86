// The six calls of the Open Inference Protocol on one device. Layer: serving. Never blocks a gRPC
// thread: an inference is handed to the device and its call finished from the device's callback.
#pragma once

#include <functional>
#include <string>

#include "braid/cluster/device.h"
#include "braid/protocol/open_inference.grpc.pb.h"

namespace braid::serving {

class InferenceService final : public inference::GRPCInferenceService::CallbackService {
 public:
  // `device` must outlive this; `ready` is asked by ServerReady and ModelReady, on any thread.
  InferenceService(cluster::Device* device, std::function<bool()> ready, std::string version);

  grpc::ServerUnaryReactor* ServerLive(grpc::CallbackServerContext* context,
                                       const inference::ServerLiveRequest* request,
                                       inference::ServerLiveResponse* response) override;
  grpc::ServerUnaryReactor* ServerReady(grpc::CallbackServerContext* context,
                                        const inference::ServerReadyRequest* request,
                                        inference::ServerReadyResponse* response) override;
  grpc::ServerUnaryReactor* ModelReady(grpc::CallbackServerContext* context,
                                       const inference::ModelReadyRequest* request,
                                       inference::ModelReadyResponse* response) override;
  grpc::ServerUnaryReactor* ServerMetadata(grpc::CallbackServerContext* context,
                                           const inference::ServerMetadataRequest* request,
                                           inference::ServerMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelMetadata(grpc::CallbackServerContext* context,
                                          const inference::ModelMetadataRequest* request,
                                          inference::ModelMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* request,
                                       inference::ModelInferResponse* response) override;

 private:
  cluster::Device* const device_;
  const std::function<bool()> ready_;
  const std::string version_;
};

}  // namespace braid::serving
