#include "braid/kernels/generated/aarch64/widening_emitter.h"

#include <algorithm>

namespace braid::kernels::generated::aarch64 {

using namespace asmjit::a64;  // NOLINT: register names

namespace {

// v0 to v15: sums of 2 pixels by 4 vectors in halves. v16, v17: inputs of the pixels, four steps
// each. v18 to v21: inputs of two steps, repeated for each channel. v22, v23: weights of two steps.
// v24, v25: products.
constexpr int kMostPixels = 2;
constexpr int kInputs = 16, kRepeated = 18, kWeights = 22, kProducts = 24;

}  // namespace

WideningEmitter::WideningEmitter(const ConvolutionShape& pass, asmjit::CodeHolder& code)
    : LoopNest(pass, kMostPixels, code) {}

Vec WideningEmitter::Half(int pixel, int v, int half) const {
  return V((pixel * vector_count() + v) * 2 + half);
}

void WideningEmitter::StartSums() {
  for (int p = 0; p < pixels(); ++p) {
    for (int v = 0; v < vector_count(); ++v) {
      for (const int half : {0, 1}) a_->movi(Half(p, v, half).b16(), 0);
    }
  }
}

void WideningEmitter::Steps(const SourceShape& source, int steps) {
  const auto repeated = [](int p, int i) { return V(kRepeated + 2 * p + i); };
  for (int step = 0; step < steps; step += 2) {
    const int count = std::min(2, steps - step);
    for (int p = 0; p < pixels(); ++p) {
      const Vec input = V(kInputs + p);
      if (step % 4 == 0) LoadInput(input, source, p, step);
      for (int i = 0; i < count; ++i) {
        a_->dup(repeated(p, i).s4(), input.s(static_cast<uint32_t>(step % 4 + i)));
      }
    }
    for (int v = 0; v < vector_count(); ++v) {
      const Vec w0 = V(kWeights), w1 = V(kWeights + 1);
      const Vec low = V(kProducts), high = V(kProducts + 1);
      LoadWeights(w0, source, v, step);
      if (count == 2) LoadWeights(w1, source, v, step + 1);
      for (int p = 0; p < pixels(); ++p) {
        a_->smull(low.h8(), w0.b8(), repeated(p, 0).b8());
        a_->smull2(high.h8(), w0.b16(), repeated(p, 0).b16());
        if (count == 2) {
          a_->smlal(low.h8(), w1.b8(), repeated(p, 1).b8());
          a_->smlal2(high.h8(), w1.b16(), repeated(p, 1).b16());
        }
        a_->sadalp(Half(p, v, 0).s4(), low.h8());
        a_->sadalp(Half(p, v, 1).s4(), high.h8());
      }
    }
  }
}

void WideningEmitter::GatherSums() {
  for (int p = 0; p < pixels(); ++p) {
    for (int v = 0; v < vector_count(); ++v) {
      a_->addp(Half(p, v, 0).s4(), Half(p, v, 0).s4(), Half(p, v, 1).s4());
    }
  }
}

}  // namespace braid::kernels::generated::aarch64
