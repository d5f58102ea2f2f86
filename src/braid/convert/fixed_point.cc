#include "braid/convert/fixed_point.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace braid::convert {
namespace {

constexpr int64_t kLeast = std::numeric_limits<int32_t>::min();
constexpr int64_t kMost = std::numeric_limits<int32_t>::max();

}  // namespace

FixedPoint ToFixedPoint(double factor) {
  FixedPoint result;
  if (!(factor > 0)) return result;
  const double fraction = std::frexp(factor, &result.exponent);  // 0.5 .. 1
  auto mantissa = static_cast<int64_t>(std::llround(std::ldexp(fraction, 31)));
  if (mantissa == int64_t{1} << 31) {
    mantissa /= 2;
    ++result.exponent;
  }
  if (result.exponent < -31) return {};
  result.mantissa = static_cast<int32_t>(mantissa);
  return result;
}

int32_t Multiply(int64_t value, FixedPoint factor) {
  const int left = std::clamp(factor.exponent, 0, 30), right = std::max(-factor.exponent, 0);
  const int64_t a = std::clamp(std::clamp(value, kLeast, kMost) * (int64_t{1} << left), kLeast, kMost);
  const int64_t product = a * factor.mantissa;
  const int64_t nudge = product >= 0 ? int64_t{1} << 30 : 1 - (int64_t{1} << 30);
  const int64_t high = (product + nudge) / (int64_t{1} << 31);
  const int64_t mask = (int64_t{1} << right) - 1;
  const int64_t threshold = (mask >> 1) + (high < 0 ? 1 : 0);
  return static_cast<int32_t>((high >> right) + ((high & mask) > threshold ? 1 : 0));
}

}  // namespace braid::convert
