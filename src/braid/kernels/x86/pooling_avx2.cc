#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "braid/kernels/x86/pooling.h"
#include "braid/kernels/x86/target.h"

namespace braid::kernels::x86 {
namespace {

// Part of a window that lies inside of the map: rows [y0, y1), columns [x0, x1) of the map.
struct InsideWindow {
  int y0, y1, x0, x1;
  bool clipped;
};

InsideWindow Inside(const WindowGeometry& g, int y, int x) {
  const int top = y * g.stride_h - g.pad_top;
  const int left = x * g.stride_w - g.pad_left;
  InsideWindow w;
  w.y0 = std::clamp(top, 0, g.in_h);
  w.y1 = std::clamp(top + g.kernel_h, w.y0, g.in_h);
  w.x0 = std::clamp(left, 0, g.in_w);
  w.x1 = std::clamp(left + g.kernel_w, w.x0, g.in_w);
  w.clipped = (w.y1 - w.y0) * (w.x1 - w.x0) < g.kernel_h * g.kernel_w;
  return w;
}

// Eight bytes of eight channels; the map's read slack covers channels past the last.
BRAID_TARGET_AVX2 inline __m128i Load8Bytes(const uint8_t* from) {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
}

// Calls `visit(channel, window)` for every output pixel and every eight channels.
template <typename Visit>
void ForEachWindow(const WindowGeometry& g, int n, const uint8_t* input, Visit visit) {
  for (int image = 0; image < n; ++image, input += g.InputElements()) {
    for (int y = 0; y < g.out_h; ++y) {
      for (int x = 0; x < g.out_w; ++x) {
        const int64_t pixel = (int64_t{image} * g.out_h + y) * g.out_w + x;
        const InsideWindow window = Inside(g, y, x);
        for (int c = 0; c < g.channels; c += kLanes) visit(input, pixel, c, window);
      }
    }
  }
}

BRAID_TARGET_AVX2 __m128i MaxOf(const WindowGeometry& g, const uint8_t* image, int c,
                                const InsideWindow& w) {
  // What lies outside counts as 0; a u7 byte is the same signed byte, so one order serves both.
  __m128i result = _mm_set1_epi8(w.clipped ? 0 : -128);
  for (int y = w.y0; y < w.y1; ++y) {
    const uint8_t* at = image + (int64_t{y} * g.in_w + w.x0) * g.channels + c;
    for (int x = w.x0; x < w.x1; ++x, at += g.channels) {
      result = _mm_max_epi8(result, Load8Bytes(at));
    }
  }
  return result;
}

BRAID_TARGET_AVX2 __m256i SumOf(const WindowGeometry& g, const uint8_t* image, int c,
                                const InsideWindow& w) {
  __m256i result = _mm256_setzero_si256();
  for (int y = w.y0; y < w.y1; ++y) {
    const uint8_t* at = image + (int64_t{y} * g.in_w + w.x0) * g.channels + c;
    for (int x = w.x0; x < w.x1; ++x, at += g.channels) {
      result = _mm256_add_epi32(result, _mm256_cvtepi8_epi32(Load8Bytes(at)));
    }
  }
  return result;
}

BRAID_TARGET_AVX2 void StoreMax(const WindowGeometry& g, const uint8_t* image, int c,
                                const InsideWindow& w, uint8_t* to) {
  const int64_t bytes = _mm_cvtsi128_si64(MaxOf(g, image, c, w));
  std::memcpy(to, &bytes, static_cast<size_t>(std::min(g.channels - c, kLanes)));
}

BRAID_TARGET_AVX2 void StoreSum(const WindowGeometry& g, const uint8_t* image, int c,
                                const InsideWindow& w, int32_t* to) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), SumOf(g, image, c, w));
}

}  // namespace

void MaxPoolAvx2(const WindowGeometry& g, int n, const uint8_t* input, uint8_t* output) {
  ForEachWindow(g, n, input,
                [&](const uint8_t* image, int64_t pixel, int c, const InsideWindow& window) {
                  StoreMax(g, image, c, window, output + pixel * g.channels + c);
                });
}

void SumPoolAvx2(const WindowGeometry& g, int n, const uint8_t* input, int32_t* accumulators) {
  const int64_t stride = PaddedChannels(g.channels);
  ForEachWindow(g, n, input,
                [&](const uint8_t* image, int64_t pixel, int c, const InsideWindow& window) {
                  StoreSum(g, image, c, window, accumulators + pixel * stride + c);
                });
}

}  // namespace braid::kernels::x86
