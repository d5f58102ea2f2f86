#include "braid/data/plane.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "braid/base/check.h"

namespace braid::data {
namespace {

// Squared distance of `p` from the segment a-b, in sub-pixels squared (rounded down).
int64_t SquaredDistance(Point p, Point a, Point b) {
  const int64_t dx = b.x - a.x, dy = b.y - a.y;
  const int64_t px = p.x - a.x, py = p.y - a.y;
  const int64_t length2 = dx * dx + dy * dy;
  const int64_t along = px * dx + py * dy;
  if (along <= 0 || length2 == 0) return px * px + py * py;
  if (along >= length2) {
    const int64_t qx = p.x - b.x, qy = p.y - b.y;
    return qx * qx + qy * qy;
  }
  // Coordinates stay under 2^15, so the cross product is under 2^31 and its square fits.
  const int64_t cross = dx * py - dy * px;
  return cross * cross / length2;
}

// sqrt of an integer below 2^53 is correctly rounded by IEEE 754, so this is the same everywhere.
int64_t Root(int64_t value) { return static_cast<int64_t>(std::sqrt(static_cast<double>(value))); }

uint64_t StreamSeed(uint64_t seed, bool test, uint64_t kind, int index) {
  // Distinct inputs must give distinct streams: one round of mixing per part.
  uint64_t mixed = Rng(seed).Next();
  mixed = Rng(mixed ^ (2 * kind + (test ? 1 : 0))).Next();
  return mixed ^ static_cast<uint64_t>(index);
}

}  // namespace

Turn Turn::FromHalfTangent(int64_t half_tangent) {
  constexpr int64_t kOne = 1024 * 1024;
  const int64_t square = half_tangent * half_tangent;
  const int64_t norm = kOne + square;
  return {(kOne - square) * (1 << kShift) / norm, 2 * half_tangent * 1024 * (1 << kShift) / norm};
}

Point Turn::Apply(Point p) const {
  return {(p.x * cos - p.y * sin) >> kShift, (p.x * sin + p.y * cos) >> kShift};
}

void Ink::Stroke(Point from, Point to, int64_t half_width, int strength) {
  const int64_t reach = half_width + kSub;
  const auto pixel = [](int64_t sub, int limit) {
    return static_cast<int>(std::clamp<int64_t>(sub >> 8, 0, limit - 1));
  };
  const int y0 = pixel(std::min(from.y, to.y) - reach, height_);
  const int y1 = pixel(std::max(from.y, to.y) + reach, height_);
  const int x0 = pixel(std::min(from.x, to.x) - reach, width_);
  const int x1 = pixel(std::max(from.x, to.x) + reach, width_);
  for (int y = y0; y <= y1; ++y) {
    for (int x = x0; x <= x1; ++x) {
      const Point centre{x * kSub + kSub / 2, y * kSub + kSub / 2};
      const int64_t distance = Root(SquaredDistance(centre, from, to));
      // Falls from full to none over one pixel around the edge.
      const int64_t cover = std::clamp<int64_t>(half_width + kSub / 2 - distance, 0, kSub - 1);
      uint8_t& value = values_[Index(y, x)];
      value = std::max(value, ToByte(cover * strength / (kSub - 1)));
    }
  }
}

void Ink::Curve(Point p0, Point p1, Point p2, int64_t half_width, int strength) {
  constexpr int64_t kPieces = 8;
  Point previous = p0;
  for (int64_t i = 1; i <= kPieces; ++i) {
    const int64_t j = kPieces - i;
    const auto blend = [&](int64_t a, int64_t b, int64_t c) {
      return (j * j * a + 2 * i * j * b + i * i * c) / (kPieces * kPieces);
    };
    const Point next{blend(p0.x, p1.x, p2.x), blend(p0.y, p1.y, p2.y)};
    Stroke(previous, next, half_width, strength);
    previous = next;
  }
}

bool InPolygon(std::span<const Point> polygon, Point p) {
  bool inside = false;
  for (size_t i = 0, j = polygon.size() - 1; i < polygon.size(); j = i++) {
    const Point a = polygon[i], b = polygon[j];
    if ((a.y > p.y) == (b.y > p.y)) continue;
    // p.x < crossing, multiplied out so that no division rounds.
    const int64_t left = (p.x - a.x) * (b.y - a.y);
    const int64_t right = (b.x - a.x) * (p.y - a.y);
    if (b.y > a.y ? left < right : left > right) inside = !inside;
  }
  return inside;
}

int PixelNoise::Next() {
  if (!half_left_) {
    word_ = rng_.Next();
  } else {
    word_ >>= 32;
  }
  half_left_ = !half_left_;
  // Four bytes added: mean 510, standard deviation 147.8.
  const auto sum = static_cast<int>((word_ & 255) + ((word_ >> 8) & 255) + ((word_ >> 16) & 255) +
                                    ((word_ >> 24) & 255));
  return (sum - 510) * sigma_ / 148;
}

Rng ImageRng(uint64_t seed, bool test, int index) { return Rng(StreamSeed(seed, test, 0, index)); }

int BalancedClass(uint64_t seed, bool test, int index, int classes) {
  constexpr int kMaxClasses = 32;
  BRAID_CHECK(classes > 0 && classes <= kMaxClasses);
  Rng rng(StreamSeed(seed, test, 1, index / classes));
  std::array<int, kMaxClasses> order{};
  std::iota(order.begin(), order.end(), 0);
  for (int i = classes - 1; i > 0; --i) {
    std::swap(order[static_cast<size_t>(i)], order[rng.Below(static_cast<uint64_t>(i) + 1)]);
  }
  return order[static_cast<size_t>(index % classes)];
}

}  // namespace braid::data
