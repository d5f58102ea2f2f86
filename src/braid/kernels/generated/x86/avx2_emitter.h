// Blocks in 16 registers of 256 bits with vpmaddubsw and vpmaddwd. Layer: kernels.
// Theory: docs/kernels.md; why nothing saturates: docs/numerics.md, section 2.
#pragma once

#include "braid/kernels/generated/x86/block_emitter.h"

namespace braid::kernels::generated::x86 {

class Avx2Emitter final : public BlockEmitter {
 public:
  Avx2Emitter(const ConvolutionShape& pass, asmjit::CodeHolder& code)
      : BlockEmitter(pass, kAvx2Model, code, kBroadcast, kPairs) {}

 private:
  static constexpr int kBroadcast = 15;  // four input bytes, repeated
  static constexpr int kPairs = 14;      // sums of pairs, s16
  static constexpr int kOnes = 13;       // s16 ones
  static constexpr int kMagnitude = 12;  // |input| of s8 sources

  void EmitConstants() override;
  void AddOffsets(const SourceShape& source) override;
  void Step(const SourceShape& source, int64_t map_offset, int step) override;
  void Column(const SourceShape& source, int64_t map_offset, int rows,
              const std::vector<Tap>& taps) override;
  // Adds the products of the input in kBroadcast; of s8 input that is -1 where it is negative, and
  // its magnitude is in kMagnitude.
  void MultiplyAdd(const asmjit::x86::Vec& sum, const asmjit::x86::Mem& weights, bool is_signed,
                   int lanes);
  // Moves signed input from kPairs to that form.
  void SplitSigned();
  void Requantize(int v) override;
  void StoreBytes(int number, const Vector& v, int pixel);
};

}  // namespace braid::kernels::generated::x86
