// What generated code is called with. Layer: kernels. Offsets are part of emitted code.
#pragma once

#include <cstddef>
#include <cstdint>

namespace braid::kernels {

struct ConvolutionShape;

// [begin, end)
struct Range {
  int64_t begin = 0, end = 0;
};

struct KernelCall;
// System V: the call in rdi, images in rsi and rdx, rows in rcx and r8 (AArch64: x0..x4).
using KernelFunction = void (*)(const KernelCall*, Range images, Range rows);

struct KernelCall {
  const uint8_t* const* maps = nullptr;       // [sources]
  const std::byte* const* tiles = nullptr;    // [sources, outputs]
  uint8_t* const* outputs = nullptr;          // [outputs]
  int32_t* const* wide = nullptr;             // [outputs]
  const int32_t* const* shortcuts = nullptr;  // [outputs]
  const int32_t* const* tables = nullptr;     // [outputs]
  const ConvolutionShape* shape = nullptr;    // the pass; read by the scalar interpreter only
  KernelFunction function = nullptr;
  // Constants of the epilogue, repeated so that a register of any width can be read from them.
  static constexpr int kRepeats = 16;
  int32_t shortcut_high[kRepeats] = {};  // shortcut_clamp
  int32_t shortcut_low[kRepeats] = {};   // -shortcut_clamp
  int32_t shortcut_half[kRepeats] = {};  // 2^(shortcut_shift-1)
  // 2^23, and 2^31 more where the output is kBiased: that adds 128 to the top byte, mod 2^8.
  int32_t output_half[kRepeats] = {};
  // Takes a 4x4 matrix of dwords to its transpose: the order in which four packed registers of 16
  // bytes each follow each other.
  int32_t transpose[kRepeats] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
};

}  // namespace braid::kernels
