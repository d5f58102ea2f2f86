#include "braid/model/rescale_tables.h"

#include <algorithm>
#include <cmath>

namespace braid::model {
namespace {

constexpr int kLargestShift = 30;
constexpr double kLargestClamp = 1 << 30;
constexpr double kLargestS32 = 2147483647.0;

}  // namespace

RescaleTables MakeRescale(const std::vector<double>& factors, double range) {
  double steepest = 0;
  for (const double factor : factors) steepest = std::max(steepest, std::abs(factor));
  RescaleTables tables;
  tables.clamp = static_cast<int32_t>(std::clamp(std::ceil(range), 1.0, kLargestClamp));
  for (int shift = kLargestShift; shift >= 1; --shift) {
    tables.shift = shift;
    const double half = std::ldexp(0.5, shift);
    const double largest = std::ceil(std::ldexp(steepest, shift));
    if (tables.clamp * largest + half <= kLargestS32) break;
  }
  for (const double factor : factors) {
    const double mul = std::round(std::ldexp(factor, tables.shift));
    tables.mul.push_back(static_cast<int32_t>(std::clamp(mul, -kLargestS32, kLargestS32)));
  }
  return tables;
}

}  // namespace braid::model
