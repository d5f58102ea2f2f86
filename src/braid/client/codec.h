// Typed requests and replies into the protocol's messages and back. A server's reply is input like
// any other: every count and size is checked. Layer: client.
#pragma once

#include "braid/base/status.h"
#include "braid/client/client.h"
#include "braid/protocol/open_inference.pb.h"

namespace braid::client {

// INVALID_ARGUMENT when pixels and shape disagree.
Result<inference::ModelInferRequest> EncodeRequest(const InferRequest& request,
                                                   const std::string& model);

// INTERNAL, naming what is wrong, when the response is not one to a request for `images` images.
Result<InferReply> DecodeResponse(const inference::ModelInferResponse& response, int images);

Result<ModelInfo> DecodeMetadata(const inference::ModelMetadataResponse& response);

}  // namespace braid::client
