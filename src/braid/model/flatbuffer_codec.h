// A Network to the FlatBuffers body of a .braid file and back (schema: braid.fbs). Layer: model,
// internal: no type of the library shows here.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/model/network.h"

namespace braid::model {

// The same network gives the same bytes. `network` has passed Validate and its vectors hold fewer
// than kMaxFileBytes bytes in all.
std::vector<uint8_t> EncodeBody(const Network& network);

// Verifies the structure and copies; the result has not passed Validate. Treats `body` as hostile:
// what is copied is never more than `body` holds. DATA_LOSS where the structure is broken or a
// tensor does not fit its digest; INVALID_ARGUMENT or UNIMPLEMENTED names the field otherwise.
Result<Network> DecodeBody(std::span<const uint8_t> body);

// For a body that does not fit the file's digest: "layers[3].weights" or "sub_networks[2].tables[1]"
// for each tensor and table that does not fit its own. Empty where the damage lies elsewhere, or
// where nothing can be read any more.
std::vector<std::string> DamagedTensors(std::span<const uint8_t> body);

}  // namespace braid::model
