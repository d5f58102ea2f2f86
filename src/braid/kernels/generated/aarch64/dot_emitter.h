// Products by sdot, four bytes by four bytes into each s32 lane. Layer: kernels.
#pragma once

#include "braid/kernels/generated/aarch64/loop_nest.h"

namespace braid::kernels::generated::aarch64 {

class DotEmitter final : public LoopNest {
 public:
  DotEmitter(const ConvolutionShape& pass, asmjit::CodeHolder& code);

 private:
  void StartSums() override;
  void Steps(const SourceShape& source, int steps) override;
  void GatherSums() override {}
  Vec Sum(int pixel, int v) const override;
};

}  // namespace braid::kernels::generated::aarch64
