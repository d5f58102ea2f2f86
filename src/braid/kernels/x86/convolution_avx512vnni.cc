// AVX-512 VNNI products: two panels fill a 512-bit register, one panel a 256-bit one.
#include <immintrin.h>

#include <cstring>

#include "braid/kernels/x86/convolution.h"
#include "braid/kernels/x86/convolve_blocks.h"
#include "braid/kernels/x86/target.h"

namespace braid::kernels::x86 {
namespace {

// Rows per block: eight accumulators hide the latency of vpdpbusd (5 cycles at up to two a cycle).
constexpr int kRows = 8;

BRAID_TARGET_AVX512VNNI inline __m256i Load8(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

BRAID_TARGET_AVX512VNNI inline __m512i Load8And8(const void* low, const void* high) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(Load8(low)), Load8(high), 1);
}

inline int32_t FourBytes(const uint8_t* from) {
  int32_t bytes;
  std::memcpy(&bytes, from, sizeof(bytes));
  return bytes;
}

template <int kCount>
BRAID_TARGET_AVX512VNNI void RowsTimesTwoPanels(const uint8_t* patches, size_t depth4,
                                                const PanelColumn& a, const PanelColumn& b,
                                                int64_t row, bool add) {
  const __m512i offset = Load8And8(a.panel, b.panel);
  __m512i sums[kCount];
  for (int r = 0; r < kCount; ++r) {
    sums[r] = add ? _mm512_add_epi32(offset, Load8And8(a.accumulators + (row + r) * a.stride,
                                                       b.accumulators + (row + r) * b.stride))
                  : offset;
  }
  const std::byte* weights_a = a.panel + kPanelOffsetBytes;
  const std::byte* weights_b = b.panel + kPanelOffsetBytes;
  for (size_t k = 0; k < depth4; k += 4) {
    const __m512i weights = Load8And8(weights_a + k * kLanes, weights_b + k * kLanes);
    for (int r = 0; r < kCount; ++r) {
      const auto at = static_cast<size_t>(r) * depth4 + k;
      sums[r] = _mm512_dpbusd_epi32(sums[r], _mm512_set1_epi32(FourBytes(patches + at)), weights);
    }
  }
  for (int r = 0; r < kCount; ++r) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(a.accumulators + (row + r) * a.stride),
                        _mm512_castsi512_si256(sums[r]));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(b.accumulators + (row + r) * b.stride),
                        _mm512_extracti64x4_epi64(sums[r], 1));
  }
}

template <int kCount>
BRAID_TARGET_AVX512VNNI void RowsTimesOnePanel(const uint8_t* patches, size_t depth4,
                                               const PanelColumn& a, int64_t row, bool add) {
  const __m256i offset = Load8(a.panel);
  __m256i sums[kCount];
  for (int r = 0; r < kCount; ++r) {
    sums[r] = add ? _mm256_add_epi32(offset, Load8(a.accumulators + (row + r) * a.stride)) : offset;
  }
  const std::byte* weights_a = a.panel + kPanelOffsetBytes;
  for (size_t k = 0; k < depth4; k += 4) {
    const __m256i weights = Load8(weights_a + k * kLanes);
    for (int r = 0; r < kCount; ++r) {
      const auto at = static_cast<size_t>(r) * depth4 + k;
      sums[r] = _mm256_dpbusd_epi32(sums[r], _mm256_set1_epi32(FourBytes(patches + at)), weights);
    }
  }
  for (int r = 0; r < kCount; ++r) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(a.accumulators + (row + r) * a.stride), sums[r]);
  }
}

template <int kCount>
BRAID_TARGET_AVX512VNNI void Rows(const uint8_t* patches, size_t depth4,
                                  std::span<const PanelColumn> columns, int64_t row, bool add) {
  if (columns.size() == 2) {
    RowsTimesTwoPanels<kCount>(patches, depth4, columns[0], columns[1], row, add);
  } else {
    RowsTimesOnePanel<kCount>(patches, depth4, columns[0], row, add);
  }
}

BRAID_TARGET_AVX512VNNI void Multiply(const uint8_t* patches, size_t depth4, int pixels,
                                      std::span<const PanelColumn> columns, bool add) {
  int64_t row = 0;
  for (; row + kRows <= pixels; row += kRows, patches += kRows * depth4) {
    Rows<kRows>(patches, depth4, columns, row, add);
  }
  switch (pixels - row) {
    case 1:
      return Rows<1>(patches, depth4, columns, row, add);
    case 2:
      return Rows<2>(patches, depth4, columns, row, add);
    case 3:
      return Rows<3>(patches, depth4, columns, row, add);
    case 4:
      return Rows<4>(patches, depth4, columns, row, add);
    case 5:
      return Rows<5>(patches, depth4, columns, row, add);
    case 6:
      return Rows<6>(patches, depth4, columns, row, add);
    case 7:
      return Rows<7>(patches, depth4, columns, row, add);
  }
}

}  // namespace

void ConvolveAvx512Vnni(const WindowGeometry& geometry, int n, const uint8_t* input,
                        std::span<const ConvTarget> targets, bool add, std::byte* scratch) {
  const uint8_t flip = geometry.input_kind == ElementKind::kS8 ? 0x80 : 0;
  ConvolveBlocks(geometry, n, input, targets, add, scratch, flip, Multiply);
}

}  // namespace braid::kernels::x86
