// Braid's own parameters of a request: what each may hold and what it asks for. Layer: serving.
#pragma once

#include <google/protobuf/map.h>

#include <optional>
#include <string>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/control/controller.h"
#include "braid/model/network.h"
#include "braid/protocol/open_inference.pb.h"

namespace braid::serving {

using ParameterMap = google::protobuf::Map<std::string, inference::InferParameter>;

// Reads the braid_ parameters of a request. Names without our prefix are other people's and are
// passed over, as the protocol asks. A braid_ name that is unknown, or known but not a request's,
// is an error: a budget that a server ignores silently is worse than none.
Status ReadParameters(const ParameterMap& parameters, const model::Network& network,
                      control::Constraints* constraints);

// Triton's `priority` (0 or absent: the default; 1 is the highest) and `timeout` (microseconds; 0 or
// absent: none), which shortens `remaining`. INVALID_ARGUMENT when one is no such number.
Status ReadScheduling(const ParameterMap& parameters, int* priority,
                      std::optional<Duration>* remaining);

// For places that take no parameter of ours (`where`: "input tensor \"input\"").
Status RefuseParameters(const ParameterMap& parameters, const std::string& where);

}  // namespace braid::serving
