// Convolution by 8-bit dot products on x86-64. Layer: kernels. Contract: KernelSet.
//
// A block of output pixels is unfolded into rows of a patch buffer (im2col), [pixels, D4] bytes,
// D4 = depth rounded up to 4; each row then meets the packed weights of all output groups, so a
// patch is gathered once per input group. Tile layout, shared by both paths: panels of kLanes
// output channels; a panel is kLanes s32 offsets, then [D4/4][kLanes][4] weights, so that 32
// consecutive bytes meet one broadcast of 4 patch bytes. Weights in the padding are 0, and so
// patch bytes there may be anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "braid/kernels/geometry.h"
#include "braid/kernels/kernel_set.h"

namespace braid::kernels::x86 {

size_t TileBytes(const WindowGeometry& geometry, int out_channels);
size_t ScratchBytes(const WindowGeometry& geometry);

// AVX2: vpmaddubsw multiplies unsigned by signed bytes and adds pairs in 16 bits, saturating.
// u7: pairs reach 2*127*127 = 32258 < 2^15. s8: |a| * (sign(a)*w) is a*w, and pairs reach
// 2*128*127 = 32512 < 2^15. Neither saturates.
void PackTileAvx2(const WindowGeometry& geometry, int out_channels, const int8_t* weights,
                  std::byte* tile);
void ConvolveAvx2(const WindowGeometry& geometry, int n, const uint8_t* input,
                  std::span<const ConvTarget> targets, bool add, std::byte* scratch);

// AVX-512 VNNI: vpdpbusd multiplies unsigned by signed bytes and adds four products to s32,
// wrapping. s8 input is shifted by 128 into 0..255 while it is unfolded (outside of the map:
// 128), and the panel's offset is -128*Σw: exact, since addition modulo 2^32 is.
void PackTileAvx512Vnni(const WindowGeometry& geometry, int out_channels, const int8_t* weights,
                        std::byte* tile);
void ConvolveAvx512Vnni(const WindowGeometry& geometry, int n, const uint8_t* input,
                        std::span<const ConvTarget> targets, bool add, std::byte* scratch);

}  // namespace braid::kernels::x86
