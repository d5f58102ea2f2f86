// Gives a model its test vectors: a few images that exercise it, and the digests of every map that
// they leave in every sub-network. Layer: verify.
#pragma once

#include <cstdint>
#include <span>

#include "braid/base/status.h"
#include "braid/model/network.h"
#include "braid/verify/exercise.h"

namespace braid::verify {

struct AddedVectors {
  int images = 0;
  ExerciseCounts exercise;  // of those images
};

// Replaces the test vectors of `network` (valid otherwise). Images are chosen, each time the one that
// makes the most channels live, from `pictures` [n,H,W,C] (real ones: the first kRealCandidates are
// looked at; may be empty) and from generated ones; so many as fit into kImageBytes, but at least
// two. Deterministic: the same network and pictures give the same vectors on every machine.
Result<AddedVectors> AddTestVectors(model::Network& network, std::span<const uint8_t> pictures);

inline constexpr int kGeneratedCandidates = 32;
inline constexpr int kRealCandidates = 32;
// A tenth of a small model.
inline constexpr int kImageBytes = 4096;

}  // namespace braid::verify
