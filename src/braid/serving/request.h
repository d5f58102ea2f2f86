// ModelInfer's request checked and turned into the device's, and the device's result turned into
// the response. Pure: no call, no thread. Layer: serving. Rules: docs/protocol.md.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/cluster/device.h"
#include "braid/model/network.h"
#include "braid/protocol/open_inference.pb.h"
#include "braid/serving/job.h"

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
  int priority = kDefaultPriority;
  ReplyForm form;
};

// `call_remaining`: time until the deadline of the call itself, which bounds the request as
// braid_deadline_ms and Triton's `timeout` do. Model name and version are the caller's business.
// Errors: FAILED_PRECONDITION (an energy limit without a profile), DEADLINE_EXCEEDED (no time
// left), INVALID_ARGUMENT for everything else; the message names the tensor or parameter.
Result<ParsedRequest> ParseRequest(const inference::ModelInferRequest& request,
                                   const model::Network& network, int max_batch,
                                   std::optional<Duration> call_remaining);

// The job of a request that arrived then; `done` is the caller's to set.
Job MakeJob(ParsedRequest parsed, TimePoint arrived);

// Which head answered, counted from the input: the network's exits in order.
int ExitIndex(const model::Network& network, model::LayerIndex head);

// The names of the devices that took part, comma-separated.
std::string DeviceList(const cluster::InferResult& result);

// The answer's part of the batch: [images, classes] and [images]. They live as long as its result.
std::span<const int32_t> LogitsOf(const Answer& answer, const model::Network& network);
std::span<const int64_t> ClassesOf(const Answer& answer);

// Everything but the model's name and version.
void FillResponse(const Answer& answer, const ReplyForm& form, const model::Network& network,
                  inference::ModelInferResponse* response);

}  // namespace braid::serving
