#include "braid/data/super_resolution/bicubic.h"

#include <algorithm>
#include <cstdlib>

#include "braid/base/check.h"

namespace braid::data {
namespace {

// Weights are multiples of 2^-16 and rows between the two passes of 2^-8: each pixel is within
// 1/100 of the real value before it is rounded.
constexpr int kWeightBits = 16;
constexpr int kRowBits = 8;

// 2 d^3 times the kernel at the distance n / d.
int64_t Kernel(int64_t n, int64_t d) {
  if (n <= d) return 3 * n * n * n - 5 * n * n * d + 2 * d * d * d;
  if (n < 2 * d) return -n * n * n + 5 * n * n * d - 8 * n * d * d + 4 * d * d * d;
  return 0;
}

// What one output position reads: `weights` of the inputs `first`, first + 1, ...
struct Taps {
  int first = 0;
  std::vector<int64_t> weights;
};

// `twice_centre`: position of the output among the inputs, times 2 / `unit`; an input j lies at
// 2 j `spacing` on the same axis, and the kernel's unit is 2 `scale` there.
Taps MakeTaps(int64_t centre, int64_t spacing, int scale) {
  const int64_t unit = 2 * scale;
  const auto reach = 2 * unit;
  Taps taps;
  // The first input whose distance is less than two units.
  int64_t j = (centre - reach) / (2 * spacing) - 1;
  while (centre - 2 * spacing * j >= reach) ++j;
  taps.first = static_cast<int>(j);
  int64_t sum = 0;
  for (; 2 * spacing * j - centre < reach; ++j) {
    taps.weights.push_back(Kernel(std::abs(centre - 2 * spacing * j), unit));
    sum += taps.weights.back();
  }
  // To a sum of exactly one, so that a flat image stays as it is: the largest takes what is over.
  const int64_t one = int64_t{1} << kWeightBits;
  int64_t rest = one;
  for (int64_t& w : taps.weights) {
    w = (2 * w * one + (w < 0 ? -sum : sum)) / (2 * sum);
    rest -= w;
  }
  *std::max_element(taps.weights.begin(), taps.weights.end()) += rest;
  return taps;
}

// Half-sample symmetric: ... 1 0 | 0 1 2 ... n-1 | n-1 n-2 ...
int Mirror(int index, int size) {
  const int period = 2 * size;
  index = ((index % period) + period) % period;
  return index < size ? index : period - 1 - index;
}

// The taps of every position of an axis of `size` inputs.
std::vector<Taps> AxisTaps(int size, int scale, bool enlarge) {
  const int out = enlarge ? size * scale : size / scale;
  std::vector<Taps> axis;
  for (int64_t i = 0; i < out; ++i) {
    // Enlarging: (i + 1/2) / s - 1/2 = (2i + 1 - s) / 2s. Reducing: (i + 1/2) s - 1/2 =
    // ((2i + 1) s - 1) / 2, in units of s.
    axis.push_back(enlarge ? MakeTaps(2 * i + 1 - scale, scale, scale)
                           : MakeTaps((2 * i + 1) * scale - 1, 1, scale));
  }
  return axis;
}

LumaImage Resize(const LumaImage& image, int scale, bool enlarge) {
  BRAID_CHECK(scale >= 1 && scale <= kMostScale && image.height > 0 && image.width > 0);
  const std::vector<Taps> vertical = AxisTaps(image.height, scale, enlarge);
  const std::vector<Taps> horizontal = AxisTaps(image.width, scale, enlarge);
  LumaImage out{
      image.name, static_cast<int>(vertical.size()), static_cast<int>(horizontal.size()), {}};
  out.pixels.reserve(vertical.size() * horizontal.size());
  std::vector<int64_t> row(static_cast<size_t>(image.width));
  for (const Taps& down : vertical) {
    std::fill(row.begin(), row.end(), int64_t{1} << (kWeightBits - kRowBits - 1));
    for (size_t t = 0; t < down.weights.size(); ++t) {
      const uint8_t* from =
          image.pixels.data() + image.Row(Mirror(down.first + static_cast<int>(t), image.height));
      for (size_t x = 0; x < row.size(); ++x) row[x] += down.weights[t] * from[x];
    }
    for (int64_t& value : row) value >>= kWeightBits - kRowBits;
    for (const Taps& across : horizontal) {
      int64_t sum = int64_t{1} << (kWeightBits + kRowBits - 1);
      for (size_t t = 0; t < across.weights.size(); ++t) {
        sum += across.weights[t] *
               row[static_cast<size_t>(Mirror(across.first + static_cast<int>(t), image.width))];
      }
      out.pixels.push_back(
          static_cast<uint8_t>(std::clamp<int64_t>(sum >> (kWeightBits + kRowBits), 0, 255)));
    }
  }
  return out;
}

}  // namespace

LumaImage Enlarge(const LumaImage& image, int scale) { return Resize(image, scale, true); }

LumaImage Reduce(const LumaImage& image, int scale) {
  BRAID_CHECK(image.height % scale == 0 && image.width % scale == 0);
  return Resize(image, scale, false);
}

LumaImage Degrade(const LumaImage& image, int scale) {
  return Enlarge(Reduce(image, scale), scale);
}

}  // namespace braid::data
