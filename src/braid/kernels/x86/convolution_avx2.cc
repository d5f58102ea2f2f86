// AVX2 products: vpmaddubsw and vpmaddwd, 256-bit registers, one or two panels.
#include <immintrin.h>

#include <cstring>

#include "braid/kernels/x86/convolution.h"
#include "braid/kernels/x86/convolve_blocks.h"
#include "braid/kernels/x86/target.h"

namespace braid::kernels::x86 {
namespace {

// Rows per block: 4 rows by 2 panels are 8 accumulators; with two registers of weights, the
// broadcast, its magnitude, a product and the ones, 14 of the 16 registers are in use.
constexpr int kRows = 4;

BRAID_TARGET_AVX2 inline __m256i Load8(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

// Four products of each lane, summed to s32; see convolution.h for why nothing saturates.
template <ElementKind kKind>
BRAID_TARGET_AVX2 inline __m256i Dot4(__m256i values, __m256i weights) {
  if constexpr (kKind == ElementKind::kS8) {
    weights = _mm256_sign_epi8(weights, values);
    values = _mm256_abs_epi8(values);
  }
  return _mm256_madd_epi16(_mm256_maddubs_epi16(values, weights), _mm256_set1_epi16(1));
}

template <ElementKind kKind, int kCount, int kPanels>
BRAID_TARGET_AVX2 void Rows(const uint8_t* patches, size_t depth4,
                            std::span<const PanelColumn> columns, int64_t row, bool add) {
  __m256i sums[kCount][kPanels];
  for (int r = 0; r < kCount; ++r) {
    for (int p = 0; p < kPanels; ++p) {
      const PanelColumn& column = columns[static_cast<size_t>(p)];
      sums[r][p] = Load8(column.panel);
      if (add) {
        sums[r][p] =
            _mm256_add_epi32(sums[r][p], Load8(column.accumulators + (row + r) * column.stride));
      }
    }
  }
  for (size_t k = 0; k < depth4; k += 4) {
    __m256i weights[kPanels];
    for (int p = 0; p < kPanels; ++p) {
      weights[p] = Load8(columns[static_cast<size_t>(p)].panel + kPanelOffsetBytes + k * kLanes);
    }
    for (int r = 0; r < kCount; ++r) {
      int32_t bytes;
      std::memcpy(&bytes, patches + static_cast<size_t>(r) * depth4 + k, sizeof(bytes));
      const __m256i values = _mm256_set1_epi32(bytes);
      for (int p = 0; p < kPanels; ++p) {
        sums[r][p] = _mm256_add_epi32(sums[r][p], Dot4<kKind>(values, weights[p]));
      }
    }
  }
  for (int r = 0; r < kCount; ++r) {
    for (int p = 0; p < kPanels; ++p) {
      const PanelColumn& column = columns[static_cast<size_t>(p)];
      _mm256_storeu_si256(
          reinterpret_cast<__m256i*>(column.accumulators + (row + r) * column.stride), sums[r][p]);
    }
  }
}

template <ElementKind kKind, int kPanels>
BRAID_TARGET_AVX2 void MultiplyPanels(const uint8_t* patches, size_t depth4, int pixels,
                                      std::span<const PanelColumn> columns, bool add) {
  int64_t row = 0;
  for (; row + kRows <= pixels; row += kRows, patches += kRows * depth4) {
    Rows<kKind, kRows, kPanels>(patches, depth4, columns, row, add);
  }
  switch (pixels - row) {
    case 1:
      return Rows<kKind, 1, kPanels>(patches, depth4, columns, row, add);
    case 2:
      return Rows<kKind, 2, kPanels>(patches, depth4, columns, row, add);
    case 3:
      return Rows<kKind, 3, kPanels>(patches, depth4, columns, row, add);
  }
}

template <ElementKind kKind>
void Multiply(const uint8_t* patches, size_t depth4, int pixels,
              std::span<const PanelColumn> columns, bool add) {
  if (columns.size() == 2) {
    MultiplyPanels<kKind, 2>(patches, depth4, pixels, columns, add);
  } else {
    MultiplyPanels<kKind, 1>(patches, depth4, pixels, columns, add);
  }
}

}  // namespace

void ConvolveAvx2(const WindowGeometry& geometry, int n, const uint8_t* input,
                  std::span<const ConvTarget> targets, bool add, std::byte* scratch) {
  const MultiplyFn multiply = geometry.input_kind == ElementKind::kS8 ? Multiply<ElementKind::kS8>
                                                                      : Multiply<ElementKind::kU7>;
  ConvolveBlocks(geometry, n, input, targets, add, scratch, 0, multiply);
}

}  // namespace braid::kernels::x86
