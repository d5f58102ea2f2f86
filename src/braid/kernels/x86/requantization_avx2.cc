#include <immintrin.h>

#include <cstring>

#include "braid/kernels/geometry.h"
#include "braid/kernels/x86/requantization.h"
#include "braid/kernels/x86/target.h"

namespace braid::kernels::x86 {
namespace {

BRAID_TARGET_AVX2 inline __m256i Load8(const int32_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

BRAID_TARGET_AVX2 inline __m256i Clamp(__m256i value, __m256i low, __m256i high) {
  return _mm256_min_epi32(_mm256_max_epi32(value, low), high);
}

// Eight s32 in -128..127 -> eight bytes. vpackssdw and vpacksswb work in 128-bit halves, so the
// halves are packed together first and the order stays.
BRAID_TARGET_AVX2 inline int64_t NarrowToBytes(__m256i values) {
  const __m128i words =
      _mm_packs_epi32(_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
  return _mm_cvtsi128_si64(_mm_packs_epi16(words, words));
}

}  // namespace

BRAID_TARGET_AVX2 void RequantizeAvx2(const Epilogue& e, int64_t pixels, int32_t* accumulators,
                                      const int32_t* shortcut, uint8_t* output) {
  const int64_t stride = PaddedChannels(e.channels);
  const __m256i half = _mm256_set1_epi32(int32_t{1} << (kRequantizationShift - 1));
  const __m256i shortcut_high = _mm256_set1_epi32(e.shortcut_clamp);
  const __m256i shortcut_low = _mm256_set1_epi32(-e.shortcut_clamp);
  const __m256i shortcut_half = _mm256_set1_epi32(int32_t{1} << (e.shortcut_shift - 1));
  const __m128i shortcut_shift = _mm_cvtsi32_si128(e.shortcut_shift);
  // Adding 128 to a byte turns its top bit.
  const int64_t flip = e.output_offset == 0 ? 0 : static_cast<int64_t>(0x8080808080808080u);
  // Channels outside, so that eight channels' tables stay in registers over all pixels.
  for (int c = 0; c < e.channels; c += kLanes) {
    const __m256i bias = Load8(e.bias + c);
    const __m256i mul = Load8(e.mul + c);
    const __m256i low = Load8(e.low + c);
    const __m256i high = Load8(e.high + c);
    const __m256i shortcut_mul =
        e.shortcut_mul != nullptr ? Load8(e.shortcut_mul + c) : _mm256_setzero_si256();
    const int lanes = e.channels - c < kLanes ? e.channels - c : kLanes;
    for (int64_t p = 0; p < pixels; ++p) {
      const int64_t at = p * stride + c;
      __m256i value = _mm256_add_epi32(Load8(accumulators + at), bias);
      if (e.shortcut_mul != nullptr) {
        const __m256i wide = Clamp(Load8(shortcut + at), shortcut_low, shortcut_high);
        const __m256i product =
            _mm256_add_epi32(_mm256_mullo_epi32(wide, shortcut_mul), shortcut_half);
        value = _mm256_add_epi32(value, _mm256_sra_epi32(product, shortcut_shift));
      }
      if (e.keep_wide) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(accumulators + at), value);
      }
      const __m256i product = _mm256_mullo_epi32(Clamp(value, low, high), mul);
      const int64_t bytes =
          flip ^
          NarrowToBytes(_mm256_srai_epi32(_mm256_add_epi32(product, half), kRequantizationShift));
      uint8_t* to = output + p * e.channels + c;
      if (lanes == kLanes) {
        std::memcpy(to, &bytes, sizeof(bytes));
      } else {
        for (int i = 0; i < lanes; ++i) to[i] = static_cast<uint8_t>(bytes >> (8 * i));
      }
    }
  }
}

}  // namespace braid::kernels::x86
