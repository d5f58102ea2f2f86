// The generators for x86-64. Layer: kernels.
#pragma once

#include "braid/kernels/generated/generator.h"

namespace braid::kernels::generated::x86 {

const Generator& Avx2Generator();
const Generator& Avx512VnniGenerator();

}  // namespace braid::kernels::generated::x86
