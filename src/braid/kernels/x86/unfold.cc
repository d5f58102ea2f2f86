#include "braid/kernels/x86/unfold.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "braid/kernels/x86/target.h"
#include "braid/kernels/x86/tile.h"

namespace braid::kernels::x86 {
namespace {

static_assert(kReadSlackBytes >= sizeof(__m256i) && kUnfoldSlackBytes >= sizeof(__m256i));

// Whole registers only: a window's row is short (24 bytes for 3x3 over 8 channels), and a call of
// memcpy would cost more than the copy.
BRAID_TARGET_AVX2 inline void CopyFlipped(uint8_t* to, const uint8_t* from, size_t bytes,
                                          __m256i flip) {
  for (size_t i = 0; i < bytes; i += sizeof(__m256i)) {
    const __m256i value = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), _mm256_xor_si256(value, flip));
  }
}

BRAID_TARGET_AVX2 inline void Fill(uint8_t* to, size_t bytes, __m256i value) {
  for (size_t i = 0; i < bytes; i += sizeof(__m256i)) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), value);
  }
}

}  // namespace

BRAID_TARGET_AVX2 void Unfold(const WindowGeometry& g, const uint8_t* input, int64_t first,
                              int count, uint8_t flip, uint8_t* patches) {
  const __m256i flips = _mm256_set1_epi8(static_cast<char>(flip));
  const size_t depth4 = PaddedDepth(g);
  const auto channels = static_cast<size_t>(g.channels);
  const size_t row_bytes = static_cast<size_t>(g.kernel_w) * channels;
  const uint8_t* image = input + first / g.OutputPixels() * g.InputElements();
  int y = static_cast<int>(first % g.OutputPixels() / g.out_w);
  int x = static_cast<int>(first % g.out_w);
  for (int p = 0; p < count; ++p, patches += depth4) {
    const int left = x * g.stride_w - g.pad_left;
    // Columns of the window that lie inside of the map: [begin, end).
    const int begin = std::clamp(-left, 0, g.kernel_w);
    const int end = std::clamp(g.in_w - left, begin, g.kernel_w);
    const size_t before = static_cast<size_t>(begin) * channels;
    const size_t inside = static_cast<size_t>(end - begin) * channels;
    uint8_t* row = patches;
    for (int ky = 0; ky < g.kernel_h; ++ky, row += row_bytes) {
      const int in_y = y * g.stride_h - g.pad_top + ky;
      if (in_y < 0 || in_y >= g.in_h || inside == 0) {
        Fill(row, row_bytes, flips);
        continue;
      }
      // Left to right, since each step may write past its end into the next one's place.
      Fill(row, before, flips);
      CopyFlipped(row + before, image + (int64_t{in_y} * g.in_w + left + begin) * g.channels,
                  inside, flips);
      Fill(row + before + inside, row_bytes - before - inside, flips);
    }
    if (++x == g.out_w) {
      x = 0;
      if (++y == g.out_h) {
        y = 0;
        image += g.InputElements();
      }
    }
  }
}

}  // namespace braid::kernels::x86
