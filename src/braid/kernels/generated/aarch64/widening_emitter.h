// Products by smull and smlal into 16 bits, added in pairs into 32: for processors without sdot.
// Layer: kernels.
#pragma once

#include "braid/kernels/generated/aarch64/loop_nest.h"

namespace braid::kernels::generated::aarch64 {

// Two products share a 16-bit lane before they are widened: at most 2*128*127 = 32512 < 2^15 in
// magnitude, so nothing wraps. A vector's four channels of four products each need two registers
// of sums (channels 0 and 1, channels 2 and 3), which GatherSums adds in pairs.
class WideningEmitter final : public LoopNest {
 public:
  WideningEmitter(const ConvolutionShape& pass, asmjit::CodeHolder& code);

 private:
  void StartSums() override;
  void Steps(const SourceShape& source, int steps) override;
  void GatherSums() override;
  Vec Sum(int pixel, int v) const override { return Half(pixel, v, 0); }
  Vec Half(int pixel, int v, int half) const;
};

}  // namespace braid::kernels::generated::aarch64
