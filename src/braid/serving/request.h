// ModelInfer's request checked and turned into the device's, and the device's result turned into
// the response. Pure: no call, no thread. Layer: serving. Rules: docs/serving.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/cluster/device.h"
#include "braid/model/network.h"
#include "braid/protocol/open_inference.pb.h"

namespace braid::serving {

enum class Output { kLogits, kClass };

// What is needed to answer a request once the device has run it.
struct ReplyForm {
  std::string id;
  std::vector<Output> outputs;  // in the order asked for
  bool raw = true;              // raw contents out when raw contents came in
};

struct ParsedRequest {
  cluster::InferRequest infer;
  ReplyForm form;
};

// NOT_FOUND unless `name` is the network's (or empty: a device holds one model) and `version` is
// the one that it has (or empty).
Status CheckModelName(const model::Network& network, const std::string& name,
                      const std::string& version);

// `call_remaining`: time until the deadline of the call itself, which bounds the request as
// braid_deadline_ms does. Errors: NOT_FOUND (model), FAILED_PRECONDITION (an energy limit without a
// profile), INVALID_ARGUMENT for everything else; the message names the tensor or parameter.
Result<ParsedRequest> ParseRequest(const inference::ModelInferRequest& request,
                                   const model::Network& network, int max_batch,
                                   std::optional<Duration> call_remaining);

void FillResponse(const cluster::InferResult& result, const ReplyForm& form,
                  const model::Network& network, inference::ModelInferResponse* response);

void FillMetadata(const model::Network& network, inference::ModelMetadataResponse* response);

}  // namespace braid::serving
