// Blocks in 32 registers of 512 bits with vpdpbusd. Layer: kernels. Theory: docs/kernels.md.
#pragma once

#include "braid/kernels/generated/x86/block_emitter.h"

namespace braid::kernels::generated::x86 {

class Avx512VnniEmitter final : public BlockEmitter {
 public:
  Avx512VnniEmitter(const ConvolutionShape& pass, asmjit::CodeHolder& code)
      : BlockEmitter(pass, kAvx512VnniModel, code, kTable, kBroadcast) {}

 private:
  // Register 31 holds the four input bytes that meet all weights, 30 a row of the tables.
  static constexpr int kBroadcast = 31;
  static constexpr int kTable = 30;
  // Depthwise only: what puts four rows of 16 channels into 16 channels of four rows.
  static constexpr int kDwordOrder = 29;
  static constexpr int kByteOrder = 28;

  void EmitConstants() override;
  void AddOffsets(const SourceShape& source) override;
  void Step(const SourceShape& source, int64_t map_offset, int step) override;
  void Column(const SourceShape& source, int64_t map_offset, int rows,
              const std::vector<Tap>& taps) override;

  void Requantize(int v) override;
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
};

}  // namespace braid::kernels::generated::x86
