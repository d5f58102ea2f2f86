// Blocks in 16 registers of 256 bits with vpmaddubsw and vpmaddwd. Layer: kernels.
// Theory: docs/kernels.md; why nothing saturates: docs/numerics.md, section 2.
#pragma once

#include "braid/kernels/generated/x86/loop_nest.h"

namespace braid::kernels::generated::x86 {

class Avx2Emitter final : public LoopNest {
 public:
  Avx2Emitter(const ConvolutionShape& pass, asmjit::CodeHolder& code)
      : LoopNest(pass, kAvx2Model, code) {}

 private:
  void EmitConstants() override;
  void StartSums() override;
  void AddOffsets(const SourceShape& source) override;
  void Step(const SourceShape& source, int64_t map_offset, int step) override;
  void FinishSums() override;

  int Sum(int p, int v, int chain = 0) const {
    return (chain * pixels_ + p) * static_cast<int>(vectors_.size()) + v;
  }
  void StoreWide(int v);
  void AddShortcuts(int v);
  void Requantize(int v);
  void StoreBytes(int number, const Vector& v, int pixel);

  int step_count_ = 0;
};

}  // namespace braid::kernels::generated::x86
