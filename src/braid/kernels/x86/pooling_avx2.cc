#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "braid/kernels/x86/pooling.h"
#include "braid/kernels/x86/target.h"

namespace braid::kernels::x86 {
namespace {

// Eight bytes of eight channels; the map's read slack covers channels past the last.
BRAID_TARGET_AVX2 inline __m128i Load8Bytes(const uint8_t* from) {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
}

// Calls visit(window, output position) for every output pixel; positions by the strides given.
template <typename Visit>
void ForEachPixel(const PoolShape& shape, int64_t n, const uint8_t* input, int64_t image_stride,
                  int64_t row_stride, int64_t column_stride, Visit visit) {
  const SourceShape& s = shape.source;
  for (int64_t image = 0; image < n; ++image) {
    for (int64_t y = 0; y < shape.rows; ++y) {
      for (int64_t x = 0; x < shape.columns; ++x) {
        visit(input + image * s.image_stride + y * s.row_stride + x * s.column_stride,
              image * image_stride + y * row_stride + x * column_stride);
      }
    }
  }
}

// u7 and biased bytes order as unsigned bytes, and s8 bytes do once their top bit is turned.
BRAID_TARGET_AVX2 void MaxAt(const SourceShape& s, const uint8_t* window, uint8_t* to) {
  const __m128i flip = _mm_set1_epi8(s.encoding == Encoding::kS8 ? -128 : 0);
  for (int c = 0; c < s.channels; c += kLanes) {
    __m128i result = _mm_setzero_si128();
    for (int ky = 0; ky < s.kernel_h; ++ky) {
      const uint8_t* at = window + ky * s.tap_stride_h + c;
      for (int kx = 0; kx < s.kernel_w; ++kx, at += s.tap_stride_w) {
        result = _mm_max_epu8(result, _mm_xor_si128(Load8Bytes(at), flip));
      }
    }
    const int64_t bytes = _mm_cvtsi128_si64(_mm_xor_si128(result, flip));
    if (s.channels - c >= kLanes) {
      std::memcpy(to + c, &bytes, kLanes);
    } else {
      std::memcpy(to + c, &bytes, static_cast<size_t>(s.channels - c));
    }
  }
}

BRAID_TARGET_AVX2 void SumAt(const SourceShape& s, const uint8_t* window, int32_t* to) {
  const bool biased = s.encoding == Encoding::kBiased;
  const __m256i start = _mm256_set1_epi32(biased ? -128 * s.kernel_h * s.kernel_w : 0);
  for (int c = 0; c < s.channels; c += kLanes) {
    __m256i result = start;
    for (int ky = 0; ky < s.kernel_h; ++ky) {
      const uint8_t* at = window + ky * s.tap_stride_h + c;
      for (int kx = 0; kx < s.kernel_w; ++kx, at += s.tap_stride_w) {
        const __m128i bytes = Load8Bytes(at);
        result = _mm256_add_epi32(
            result, biased ? _mm256_cvtepu8_epi32(bytes) : _mm256_cvtepi8_epi32(bytes));
      }
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + c), result);
  }
}

}  // namespace

void MaxPoolAvx2(const PoolShape& shape, int64_t n, const uint8_t* input, uint8_t* output) {
  const OutputShape& o = shape.output;
  ForEachPixel(shape, n, input, o.image_stride, o.row_stride, o.column_stride,
               [&](const uint8_t* window, int64_t at) { MaxAt(shape.source, window, output + at); });
}

void SumPoolAvx2(const PoolShape& shape, int64_t n, const uint8_t* input, int32_t* accumulators) {
  const OutputShape& o = shape.output;
  ForEachPixel(
      shape, n, input, o.wide_image_stride, o.wide_row_stride, o.wide_column_stride,
      [&](const uint8_t* window, int64_t at) { SumAt(shape.source, window, accumulators + at); });
}

}  // namespace braid::kernels::x86
