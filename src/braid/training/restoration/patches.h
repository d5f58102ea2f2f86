// Patches of degraded images and of what they were, at random places, levels and orientations: a
// function of (seed, step) alone, so that a resumed training sees the same. Layer: training.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "braid/base/status.h"
#include "braid/data/restoration/degraded_set.h"

namespace braid::training {

class Patches {
 public:
  struct Options {
    int side = 41;     // pixels
    int batch = 64;    // patches in a step
    bool turn = true;  // mirror and turn at random: eight orientations
    uint64_t seed = 1;
  };

  // Every image at every level, held whole. INVALID_ARGUMENT when an image is smaller than a patch
  // or all are too few for a batch.
  static Result<Patches> Make(const data::DegradedSet& set, const Options& options);

  // An epoch has as many patches as cover the images side by side at each level and orientation.
  int per_epoch() const { return per_epoch_; }

  // Fills [batch, side, side] each: the degraded image, and the original.
  void Fill(int step, std::span<uint8_t> degraded, std::span<uint8_t> original) const;

 private:
  explicit Patches(const Options& options) : options_(options) {}

  Options options_;
  int per_epoch_ = 0;
  std::vector<data::ImagePair> pairs_;
  std::vector<uint64_t> ends_;  // [pairs], running sums of their pixels
};

}  // namespace braid::training
