// Generated pictures from which test vectors are chosen: noise, blobs, stripes, strokes, at many
// contrasts. Integers only, the same on every machine. Layer: verify.
#pragma once

#include <cstdint>
#include <vector>

namespace braid::verify {

// `count` pictures [count,H,W,C].
std::vector<uint8_t> CandidateImages(int count, int height, int width, int channels, uint64_t seed);

}  // namespace braid::verify
