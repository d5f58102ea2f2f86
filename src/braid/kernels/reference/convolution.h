// The scalar convolution: defines what every path computes. Layer: kernels.
#pragma once

#include "braid/kernels/convolution/kernel_call.h"

namespace braid::kernels::reference {

// Interprets call->shape, with tiles of OHWI weights as they are. A KernelFunction.
//   acc[o] = Σ map[..] * w[o,ky,kx,c] over all sources (SourceShape gives the byte), after the
// wide value for Start::kWide; then the wide value or the epilogue of requantization.h.
// Products of a byte and a weight are below 2^14 in magnitude; the loader proved all sums.
void Convolve(const KernelCall* call, Range images, Range rows);

}  // namespace braid::kernels::reference
