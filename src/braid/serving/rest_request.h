// An inference request over REST, read into the message that gRPC would have brought, so that both
// doors check it alike. Layer: serving. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "braid/base/status.h"
#include "braid/protocol/open_inference.pb.h"

namespace braid::serving {

// How the outputs shall come: the request's wish for all, and each output's own.
struct BinaryWish {
  bool all = false;
  std::vector<std::optional<bool>> outputs;  // in the order of request.outputs(), if there are any
};

struct RestRequest {
  inference::ModelInferRequest message;  // without model_name and model_version
  BinaryWish binary;
};

// `body`: JSON, then the binary tensors in the order of the inputs. `json_length`: the value of
// Inference-Header-Content-Length, absent without binary tensors; "0" means that all of the body is
// the one input, `image_bytes` for each image of `shape` [H,W,C]. Members that the protocol does not
// name are passed over. INVALID_ARGUMENT, with the place.
Result<RestRequest> ReadRestRequest(std::string_view body,
                                    std::optional<std::string_view> json_length,
                                    const std::vector<int64_t>& image_shape);

}  // namespace braid::serving
