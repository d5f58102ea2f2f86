// The JSON of an inference request, read without building a tree. Layer: serving. Pure.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "braid/base/status.h"
#include "braid/protocol/open_inference.pb.h"

namespace braid::serving {

// Arrays and objects within each other; a tensor has a few dimensions.
inline constexpr int kMaxJsonDepth = 32;

// Fills id, parameters, inputs and outputs; `data` goes into the field of contents that the
// datatype asks for (all-integer data of a floating datatype included). `has_data` [inputs] says
// which inputs had data. INVALID_ARGUMENT, with the place.
Status ReadRestJson(std::string_view text, inference::ModelInferRequest* message,
                    std::vector<bool>* has_data);

}  // namespace braid::serving
