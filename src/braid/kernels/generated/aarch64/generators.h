// The generators for AArch64. Layer: kernels.
#pragma once

#include "braid/kernels/generated/generator.h"

namespace braid::kernels::generated::aarch64 {

const Generator& NeonGenerator();
const Generator& NeonDotGenerator();

}  // namespace braid::kernels::generated::aarch64
