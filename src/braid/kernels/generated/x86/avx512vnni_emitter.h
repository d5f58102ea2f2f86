// Blocks in 32 registers of 512 bits with vpdpbusd. Layer: kernels. Theory: docs/kernels.md.
#pragma once

#include "braid/kernels/generated/x86/loop_nest.h"

namespace braid::kernels::generated::x86 {

class Avx512VnniEmitter final : public LoopNest {
 public:
  Avx512VnniEmitter(const ConvolutionShape& pass, asmjit::CodeHolder& code)
      : LoopNest(pass, kAvx512VnniModel, code) {}

 private:
  void EmitConstants() override;
  void StartSums() override;
  void AddOffsets(const SourceShape& source) override;
  void Step(const SourceShape& source, int64_t map_offset, int step) override;
  void FinishSums() override;

  // Register number of the sum of pixel `p` and vector `v` (index into vectors_) in `chain`.
  int Sum(int p, int v, int chain = 0) const {
    return (chain * pixels_ + p) * static_cast<int>(vectors_.size()) + v;
  }
  int SumsOfBlock() const { return chains_ * pixels_ * static_cast<int>(vectors_.size()); }
  void AddShortcuts(int v);
  void KeepWide(int v);
  void StoreWide(int v);
  void Requantize(int v);
  // A register of finished sums: of one pixel, or of several narrow ones that Merge put together.
  struct Unit {
    int number = 0;       // the register
    int lanes = 16;       // of the register, all pixels together
    int first_pixel = 0;  // of the block
    int pixels = 1;
  };
  std::vector<Unit> Merge(int v);
  void StoreFour(const Vector& v, const Unit* units);
  void StoreUnit(const Vector& v, const Unit& unit);
  asmjit::x86::KReg MaskFor(int valid) const;

  int step_count_ = 0;  // decides the chain
};

}  // namespace braid::kernels::generated::x86
