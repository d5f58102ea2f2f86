// Generated kernels of this process, each compiled once. Layer: kernels. Theory: docs/kernels.md.
#pragma once

#include <cstddef>
#include <span>

#include "braid/base/status.h"
#include "braid/kernels/convolution/kernel_call.h"
#include "braid/kernels/convolution/shape.h"
#include "braid/kernels/generated/generator.h"

namespace braid::kernels::generated {

struct Kernel {
  KernelFunction function = nullptr;
  std::span<const std::byte> code;  // for disassemblers
};

// Code for one pass (`shape` cut by `generator`), made now or found under ConvolutionName. Valid
// until the process ends. Two callers of one name at a time: one compiles, the other waits for it;
// callers of other names never wait. RESOURCE_EXHAUSTED without executable memory.
Result<Kernel> KernelFor(const Generator& generator, const ConvolutionShape& shape);

}  // namespace braid::kernels::generated
