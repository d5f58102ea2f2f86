// Guards bytes that come from outside (a peer's map) before they meet a kernel. Layer: kernels.
#pragma once

#include <cstdint>
#include <span>

#include "braid/tensor/element_kind.h"

namespace braid::kernels {

// Whether every byte lies in its kind's range: u7 at most 127, s8 not -128. False for kWide, which
// never crosses a wire.
bool InRange(std::span<const uint8_t> bytes, ElementKind kind);

}  // namespace braid::kernels
