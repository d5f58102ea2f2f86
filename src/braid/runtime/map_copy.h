// Copies maps between their ring and the dense form [n,H,W,C] of wires and images.
// Layer: runtime.
#pragma once

#include <cstddef>
#include <cstdint>

#include "braid/runtime/map_layout.h"

namespace braid::runtime {

// `dense` [n,H,W,C]; every byte is XORed with `flip` on its way (0x80 turns s8 into s8 + 128 and
// back). The ring is left alone. Nothing overlaps.
void CopyIntoRing(const MapMemory& map, int n, const uint8_t* dense, uint8_t flip,
                  std::byte* arena);
void CopyOutOfRing(const MapMemory& map, int n, const std::byte* arena, uint8_t flip,
                   uint8_t* dense);

// What turns the wire's u7 and s8 bytes into those of `encoding`, and back.
constexpr uint8_t WireFlip(kernels::Encoding encoding) { return kernels::ZeroByte(encoding); }

}  // namespace braid::runtime
