// Test vectors of a model file: which maps have a digest, and what a digest is taken of.
// Layer: model. docs/model-format.md, "Test vectors"; recomputed by the module `verify`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "braid/model/network.h"
#include "braid/tensor/group_set.h"

namespace braid::model {

// The first half of a SHA-256: a collision still takes 2^64 trials, and the digests of every map
// stay a small part of the file.
inline constexpr size_t kShortDigestBytes = 16;
using ShortDigest = std::array<uint8_t, kShortDigestBytes>;

ShortDigest ShortDigestOf(std::span<const uint8_t> bytes);

// Of bias, mul, clamp, shift, shortcut_mul, shortcut_clamp, shortcut_shift in this order, as
// little-endian s32, each of the three vectors after its length.
ShortDigest DigestOf(const LayerTables& tables);

// A map with a digest: that of one channel group, or the logits of a head (group 0).
struct DigestSlot {
  LayerIndex layer = kNoLayer;
  int group = 0;
  bool operator==(const DigestSlot&) const = default;
};

// The maps of a sub-network of `groups` that have digests, in their order in map_digests: every
// layer that some head needs (the input is none), ascending; in it the groups, ascending. The digest
// of a map is that of its bytes [n,H,W,C_group] for all test images; that of a head of its logits
// [n, classes], after the rescale, as little-endian s32.
std::vector<DigestSlot> DigestSlots(const Network& network, GroupSet groups);

// Number of test images of a valid network.
int TestImageCount(const Network& network);

}  // namespace braid::model
