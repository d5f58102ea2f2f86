// Integer plane geometry for the generators: the same pixels on every machine. Layer: data.
// Lengths are in 1/256 pixel ("sub-pixels"); the centre of pixel (0,0) is at (128,128).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "braid/base/rng.h"

namespace braid::data {

inline constexpr int64_t kSub = 256;  // sub-pixels in a pixel

struct Point {
  int64_t x = 0, y = 0;
};

// A rotation by cos and sin in 1/2^14.
struct Turn {
  static constexpr int kShift = 14;
  int64_t cos = 1 << kShift, sin = 0;

  // By the angle whose half has the tangent `half_tangent` / 1024, |half_tangent| <= 1024.
  // (The rational parametrization of the circle: no trigonometric function, whose last bits differ
  // between libraries.)
  static Turn FromHalfTangent(int64_t half_tangent);
  Point Apply(Point p) const;
  Turn Inverse() const { return {cos, -sin}; }
};

// Coverage 0..255 of each pixel of an image by what was drawn.
class Ink {
 public:
  Ink(int height, int width) : height_(height), width_(width) { Clear(); }
  void Clear() { values_.assign(static_cast<size_t>(height_) * static_cast<size_t>(width_), 0); }
  int At(int y, int x) const { return values_[Index(y, x)]; }
  // A straight stroke with round ends, `half_width` on each side; keeps the darker of old and new.
  // `strength` 0..255 is its coverage at full.
  void Stroke(Point from, Point to, int64_t half_width, int strength);
  // A quadratic Bezier curve from p0 to p2, as 8 straight strokes.
  void Curve(Point p0, Point p1, Point p2, int64_t half_width, int strength);

 private:
  size_t Index(int y, int x) const {
    return static_cast<size_t>(y) * static_cast<size_t>(width_) + static_cast<size_t>(x);
  }
  int height_, width_;
  std::vector<uint8_t> values_;
};

// Whether `p` lies inside the closed polygon (even-odd rule).
bool InPolygon(std::span<const Point> polygon, Point p);

// Bell-shaped noise for successive pixels: about normal, standard deviation `sigma` (0..64).
class PixelNoise {
 public:
  PixelNoise(Rng& rng, int sigma) : rng_(rng), sigma_(sigma) {}
  int Next();

 private:
  Rng& rng_;
  int sigma_;
  uint64_t word_ = 0;
  bool half_left_ = false;
};

inline uint8_t ToByte(int64_t value) {
  return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

// The generator of image `index` of a split: every image has its own, so that the first images of
// a longer split are those of a shorter one.
Rng ImageRng(uint64_t seed, bool test, int index);

// A class for image `index` out of `classes`: every block of `classes` images holds each once, in
// an order of its own.
int BalancedClass(uint64_t seed, bool test, int index, int classes);

}  // namespace braid::data
