// A convolution made ready for its shape: code, layout of packed weights, and calls bound to
// memory. Layer: kernels. Theory: docs/kernels.md.
//
// Use: Convolution::Make(shape) once per shape (generates code, or finds it in the cache);
// PackTile for every [output x source]; Bind once per set of pointers; Run as often as wanted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/kernels/convolution/kernel_call.h"
#include "braid/kernels/convolution/shape.h"

namespace braid::kernels {

// Packed weights from one source to one output; both may be part of any number of shapes, so that
// tiles are packed once and shared. Depends on the path, the source's encoding, channels and
// kernel, and the output's channels only. Aligned to 64 bytes by the caller.
size_t TileBytes(Path path, const SourceShape& source, int out_channels);
// `weights` OHWI [out_channels, kernel_h, kernel_w, channels] s8 in -127..127; of a depthwise source
// [out_channels, kernel_h, kernel_w].
void PackTile(Path path, const SourceShape& source, int out_channels, const int8_t* weights,
              std::byte* tile);

// Tables of one output's epilogue (the arrays of Epilogue in requantization.h), in the form that
// kernels read: [channels / 16, rows, 16] s32, zeros in the padding.
enum class TableRow : uint8_t { kBias, kMul, kLow, kHigh, kShortcutMul };
inline constexpr int kTableRows = 5;
inline constexpr int kTableLanes = 16;
constexpr size_t TableElements(int channels) {
  return static_cast<size_t>((channels + kTableLanes - 1) / kTableLanes * kTableLanes * kTableRows);
}
constexpr size_t TableIndex(TableRow row, int channel) {
  return static_cast<size_t>((channel / kTableLanes * kTableRows + static_cast<int>(row)) *
                                 kTableLanes +
                             channel % kTableLanes);
}

// Memory that a call reads and writes; all of it is borrowed. Entries are per source or output in
// the order of the shape. kReadSlackBytes past the end of each map must be readable.
struct ConvolutionMemory {
  std::vector<const uint8_t*> maps;     // first byte of the window of output (0, 0, 0)
  std::vector<const std::byte*> tiles;  // [sources, outputs]
  std::vector<uint8_t*> outputs;        // kBytes
  std::vector<int32_t*> wide;           // kWide at either end, or keep_wide
  std::vector<const int32_t*> shortcuts;  // shortcut: like wide
  std::vector<const int32_t*> tables;     // kBytes: TableElements(channels) each
  int32_t shortcut_clamp = 0;
};

class Convolution;

// A Convolution with its pointers. Run allocates nothing and takes no lock; calls with images or
// rows apart may run at the same time on several threads. Must not outlive its Convolution.
class BoundConvolution {
 public:
  BoundConvolution() = default;
  BoundConvolution(BoundConvolution&&) = default;
  BoundConvolution& operator=(BoundConvolution&&) = default;
  // Output rows [rows.begin, rows.end) of images [images.begin, images.end).
  void Run(Range images, Range rows) const {
    for (const KernelCall& call : calls_) call.function(&call, images, rows);
  }

 private:
  friend class Convolution;
  std::vector<KernelCall> calls_;                // one a pass
  std::vector<std::unique_ptr<uint64_t[]>> pointers_;  // what calls_ point to
};

// Immutable and thread-safe.
class Convolution {
 public:
  // INVALID_ARGUMENT when `shape` has no source, no output or a size below 1 (columns: below 0).
  // RESOURCE_EXHAUSTED when there is no executable memory.
  static Result<std::shared_ptr<const Convolution>> Make(const ConvolutionShape& shape);
  virtual ~Convolution() = default;

  virtual const ConvolutionShape& shape() const = 0;
  virtual BoundConvolution Bind(const ConvolutionMemory& memory) const = 0;
  // Shapes of the passes in which it runs, in order (docs/kernels.md, "Passes"), each with code
  // of its own unless equal.
  virtual std::vector<ConvolutionShape> passes() const = 0;
  // Machine code of each pass, for disassemblers; empty where nothing was generated.
  virtual std::vector<std::span<const std::byte>> code() const = 0;

 protected:
  static void Append(BoundConvolution& bound, const KernelCall& call,
                     std::unique_ptr<uint64_t[]> pointers);
};

}  // namespace braid::kernels
