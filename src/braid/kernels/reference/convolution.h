// The scalar convolution: defines what every path computes. Layer: kernels. Contract: KernelSet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "braid/kernels/geometry.h"
#include "braid/kernels/kernel_set.h"

namespace braid::kernels::reference {

// The tile is the OHWI weights themselves.
size_t TileBytes(const WindowGeometry& geometry, int out_channels);
void PackTile(const WindowGeometry& geometry, int out_channels, const int8_t* weights,
              std::byte* tile);
size_t ScratchBytes(const WindowGeometry& geometry);  // 0

// acc[n,y,x,o] = Σ input[n, y*stride_h - pad_top + ky, x*stride_w - pad_left + kx, i] *
// w[o,ky,kx,i] over the positions inside of the map, or acc += that where `add`. Products of a
// u7 or s8 byte and a weight are below 2^14 in magnitude; the loader proved the sum of all terms.
void Convolve(const WindowGeometry& geometry, int n, const uint8_t* input,
              std::span<const ConvTarget> targets, bool add, std::byte* scratch);

}  // namespace braid::kernels::reference
