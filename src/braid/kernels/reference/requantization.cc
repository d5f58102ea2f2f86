#include "braid/kernels/reference/requantization.h"

#include <algorithm>

#include "braid/kernels/geometry.h"

namespace braid::kernels::reference {

int32_t RequantizeValue(int32_t value, int32_t mul, ClampInterval interval) {
  constexpr int32_t kHalf = int32_t{1} << (kRequantizationShift - 1);
  return (std::clamp(value, interval.low, interval.high) * mul + kHalf) >> kRequantizationShift;
}

int32_t RescaleShortcut(int32_t wide, int32_t clamp, int32_t mul, int32_t shift) {
  return (std::clamp(wide, -clamp, clamp) * mul + (int32_t{1} << (shift - 1))) >> shift;
}

void Requantize(const Epilogue& e, int64_t pixels, int32_t* accumulators, const int32_t* shortcut,
                uint8_t* output) {
  const int stride = PaddedChannels(e.channels);
  for (int64_t p = 0; p < pixels; ++p) {
    for (int c = 0; c < e.channels; ++c) {
      int32_t value = accumulators[p * stride + c] + e.bias[c];
      if (e.shortcut_mul != nullptr) {
        value += RescaleShortcut(shortcut[p * stride + c], e.shortcut_clamp, e.shortcut_mul[c],
                                 e.shortcut_shift);
      }
      if (e.keep_wide) accumulators[p * stride + c] = value;
      *output++ = static_cast<uint8_t>(
          RequantizeValue(value, e.mul[c], {e.low[c], e.high[c]}) + e.output_offset);
    }
  }
}

void RescaleLogits(const LogitsRescale& r, std::span<int32_t> sums) {
  const size_t classes = static_cast<size_t>(r.classes);
  for (size_t i = 0; i < sums.size(); ++i) {
    const size_t c = i % classes;
    const auto biased =
        static_cast<int32_t>(static_cast<uint32_t>(sums[i]) + static_cast<uint32_t>(r.bias[c]));
    sums[i] = RescaleShortcut(biased, r.clamp, r.mul[c], r.shift);
  }
}

}  // namespace braid::kernels::reference
