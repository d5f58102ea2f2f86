// Cutting patches. Layer: training.
#include "braid/training/restoration/patches.h"

#include <algorithm>
#include <string>
#include <utility>

#include "braid/base/check.h"
#include "braid/base/rng.h"

namespace braid::training {
namespace {

// Copies the square at (y, x) in one of eight orientations: bits 0 and 1 mirror, bit 2 transposes.
void Cut(const data::LumaImage& image, int y, int x, int side, int orientation, uint8_t* out) {
  const auto n = static_cast<ptrdiff_t>(side);
  ptrdiff_t start = 0, down = n, across = 1;
  if ((orientation & 4) != 0) std::swap(down, across);
  if ((orientation & 1) != 0) {
    start += (n - 1) * across;
    across = -across;
  }
  if ((orientation & 2) != 0) {
    start += (n - 1) * down;
    down = -down;
  }
  for (ptrdiff_t i = 0; i < n; ++i) {
    const uint8_t* from =
        image.pixels.data() + image.Row(y + static_cast<int>(i)) + static_cast<size_t>(x);
    uint8_t* to = out + start + i * down;
    for (ptrdiff_t j = 0; j < n; ++j) to[j * across] = from[j];
  }
}

}  // namespace

Result<Patches> Patches::Make(const data::DegradedSet& set, const Options& options) {
  Patches patches(options);
  uint64_t pixels = 0;
  for (size_t image = 0; image < set.originals.images.size(); ++image) {
    for (size_t level = 0; level < set.levels.size(); ++level) {
      data::ImagePair pair = data::PairOf(set, level, image);
      const data::LumaImage& original = pair.original;
      if (original.height < options.side || original.width < options.side) {
        return InvalidArgument("patch: " + std::to_string(options.side) + " is larger than " +
                               set.name + "/" + original.name + " of " +
                               std::to_string(original.width) + "x" +
                               std::to_string(original.height));
      }
      pixels += original.pixels.size();
      patches.ends_.push_back(pixels);
      patches.pairs_.push_back(std::move(pair));
    }
  }
  const uint64_t orientations = options.turn ? 8 : 1;
  const uint64_t in_a_step = static_cast<uint64_t>(options.side) *
                             static_cast<uint64_t>(options.side) *
                             static_cast<uint64_t>(options.batch);
  patches.per_epoch_ = static_cast<int>(pixels * orientations / in_a_step);
  if (patches.per_epoch_ == 0) {
    return InvalidArgument("batch: more patches than " + set.name + " has in an epoch");
  }
  return patches;
}

void Patches::Fill(int step, std::span<uint8_t> degraded, std::span<uint8_t> original) const {
  const auto side = static_cast<size_t>(options_.side);
  BRAID_CHECK(degraded.size() == side * side * static_cast<size_t>(options_.batch) &&
              original.size() == degraded.size());
  // Distinct streams for distinct (seed, step): odd multipliers spread them over 64 bits.
  Rng rng(options_.seed * 0x9E3779B97F4A7C15ull +
          (static_cast<uint64_t>(step) + 1) * 0xBF58476D1CE4E5B9ull);
  for (size_t first = 0; first < degraded.size(); first += side * side) {
    // Every pixel of the set is as likely as another, so large images give more patches.
    const auto chosen = std::upper_bound(ends_.begin(), ends_.end(), rng.Below(ends_.back()));
    const data::ImagePair& pair = pairs_[static_cast<size_t>(chosen - ends_.begin())];
    const auto y = static_cast<int>(rng.Between(0, pair.original.height - options_.side));
    const auto x = static_cast<int>(rng.Between(0, pair.original.width - options_.side));
    const int orientation = options_.turn ? static_cast<int>(rng.Below(8)) : 0;
    Cut(pair.degraded, y, x, options_.side, orientation, degraded.data() + first);
    Cut(pair.original, y, x, options_.side, orientation, original.data() + first);
  }
}

}  // namespace braid::training
