// The shapes that `braid bench kernels` times, with their data. Layer: bench.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "braid/tensor/element_kind.h"

namespace braid::bench {

// Which bar of issue and tables a case counts for.
enum class CaseSet : uint8_t {
  kPublished,    // the list of FBGEMM's own PackedRequantizeAcc32Benchmark
  kThin,         // products of unrolled thin convolutions: small N and K
  kConvolution,  // 3x3 convolutions of thin networks
  kDepthwise,    // 3x3 convolutions of each channel by itself
};
const char* CaseSetName(CaseSet set);

// One product [M,K] u7|s8 x [K,N] s8 -> requantized u7 [M,N], or the convolution that computes the
// same number of products: a 3x3 window with padding 1 over [side,side,channels] into as many
// channels, M = side*side, N = channels, K = 9*channels. Depthwise: K = 9, and a stride.
struct KernelCase {
  CaseSet set = CaseSet::kPublished;
  int m = 0, n = 0, k = 0;
  int side = 0;  // convolutions only; 0: a product
  int stride = 1;  // depthwise only
  bool depthwise = false;

  bool convolution() const { return side > 0; }
  int channels() const { return depthwise ? n : k / 9; }  // convolutions only
  int out_side() const { return side / stride; }
  double operations() const { return 2.0 * m * n * k; }
  // "gemm_6x512x512", "conv3x3_16x16x32", "depthwise3x3_16x16x64_s2"
  std::string name() const;
};

// All cases, in the order of the tables. One that is in two sets is listed once, in the first.
std::vector<KernelCase> AllCases();

// Seeded data for a case. Weights [N, window, K / window] (OHWI for a convolution, [N, 3, 3] for a
// depthwise one). Tables are per channel, with multipliers such that outputs spread over 0..127.
struct Problem {
  KernelCase shape;
  ElementKind input_kind = ElementKind::kU7;
  std::vector<uint8_t> input;     // [M,K], or the map [side,side,channels]
  std::vector<int8_t> weights;
  std::vector<int32_t> bias, mul;
  std::vector<uint8_t> expected;  // [M,N], by the scalar reference
};
Problem MakeProblem(const KernelCase& shape, ElementKind input_kind, uint64_t seed);

}  // namespace braid::bench
