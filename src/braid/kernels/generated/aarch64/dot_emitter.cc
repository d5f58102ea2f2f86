#include "braid/kernels/generated/aarch64/dot_emitter.h"

#include <algorithm>

namespace braid::kernels::generated::aarch64 {

using namespace asmjit::a64;  // NOLINT: register names

namespace {

// v0 to v19: sums of 5 pixels by 4 vectors, 20 chains against a latency of 3 to 4 at two a cycle.
// v20 to v24: inputs of the pixels, four steps each. v25, v26: weights, so that the next load need
// not wait for the last product.
constexpr int kMostPixels = 5;
constexpr int kInputs = 20, kWeights = 25;

}  // namespace

DotEmitter::DotEmitter(const ConvolutionShape& pass, asmjit::CodeHolder& code)
    : LoopNest(pass, kMostPixels, code) {}

Vec DotEmitter::Sum(int pixel, int v) const {
  return V(pixel * vector_count() + v);
}

void DotEmitter::StartSums() {
  for (int p = 0; p < pixels(); ++p) {
    for (int v = 0; v < vector_count(); ++v) a_->movi(Sum(p, v).b16(), 0);
  }
}

void DotEmitter::Steps(const SourceShape& source, int steps) {
  const auto input = [](int p) { return V(kInputs + p); };
  int loaded = 0;
  for (int first = 0; first < steps; first += 4) {
    for (int p = 0; p < pixels(); ++p) LoadInput(input(p), source, p, first);
    for (int step = first; step < std::min(first + 4, steps); ++step) {
      for (int v = 0; v < vector_count(); ++v) {
        const Vec weights = V(kWeights + loaded++ % 2);
        LoadWeights(weights, source, v, step);
        for (int p = 0; p < pixels(); ++p) {
          a_->sdot(Sum(p, v).s4(), weights.b16(), input(p).b4(static_cast<uint32_t>(step - first)));
        }
      }
    }
  }
}

}  // namespace braid::kernels::generated::aarch64
