// The parts of Validate (file.h), each of which relies on the ones before it. Layer: model,
// internal.
#pragma once

#include <string>

#include "braid/base/status.h"
#include "braid/model/network.h"

namespace braid::model {

// "layers[3].weights: 1152 values, expected 2304".
inline Status FieldError(const std::string& field, const std::string& what) {
  return InvalidArgument(field + ": " + what);
}

// Order, operators, shapes, channels and weights of the layers.
Status ValidateLayers(const Network& network);

// Group sets and tables of the sub-networks, and the proof that no accumulator leaves s32.
Status ValidateSubNetworks(const Network& network);

// Names, terms, heads and costs of the operating points, and that added logits stay in s32.
Status ValidatePoints(const Network& network);

// Test images and the digests of their maps; a network without either passes.
Status ValidateTestVectors(const Network& network);

}  // namespace braid::model
