// What blocks have in common on both instruction sets: where sums start, and what happens to them
// until they are narrowed. Layer: kernels. Theory: docs/kernels.md, sections 3 and 4.
#pragma once

#include "braid/kernels/convolution/convolution.h"
#include "braid/kernels/convolution/kernel_call.h"
#include "braid/kernels/generated/x86/loop_nest.h"

namespace braid::kernels::generated::x86 {

// The register `number` where it holds `lanes` s32.
asmjit::x86::Vec Reg(int number, int lanes);
// The row of the table at `base` for the channels of `v`.
asmjit::x86::Mem TableAt(asmjit::x86::Gp base, const Vector& v, TableRow row);
// A member of KernelCall, by its offset.
asmjit::x86::Mem CallConstant(asmjit::x86::Gp call, size_t offset);

// Registers from 0 hold sums; `row` and `value` are two others, free outside of Step.
class BlockEmitter : public LoopNest {
 public:
  BlockEmitter(const ConvolutionShape& pass, const RegisterModel& model, asmjit::CodeHolder& code,
               int row, int value)
      : LoopNest(pass, model, code), row_(row), value_(value) {}

 protected:
  // Clamps, multiplies, narrows and stores the sums of vector `v`. The output's tables are at r10,
  // the block's first output pixel is at r11.
  virtual void Requantize(int v) = 0;

  // Register number of the sum of pixel `p` and vector `v` (index into vectors_) in `chain`.
  int Sum(int p, int v, int chain = 0) const {
    return (chain * pixels_ + p) * static_cast<int>(vectors_.size()) + v;
  }
  int SumsOfBlock() const { return chains_ * pixels_ * static_cast<int>(vectors_.size()); }
  // The chain whose turn it is.
  int NextChain() { return step_count_++ % chains_; }
  void Load(const asmjit::x86::Vec& to, const asmjit::x86::Mem& from);
  void Store(const asmjit::x86::Mem& to, const asmjit::x86::Vec& from);

 private:
  void StartSums() override;
  void FinishSums() override;
  void AddBias(int v);
  void AddShortcuts(int v);
  void StoreWide(int v);
  // The wide values of pixel `p`, vector `v`, where r9 is the block's first.
  asmjit::x86::Mem WideAt(int p, const Vector& v) const;

  const int row_, value_;
  int step_count_ = 0;
};

}  // namespace braid::kernels::generated::x86
