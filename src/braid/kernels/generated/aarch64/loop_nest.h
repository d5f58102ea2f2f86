// The loops of a generated convolution for AArch64: images, rows, blocks of columns, sources, taps.
// The products of a block are left to an instruction set; its epilogue is common. Layer: kernels.
// Theory: docs/kernels.md.
#pragma once

#include <vector>

#include "braid/kernels/convolution/convolution.h"
#include "braid/kernels/convolution/shape.h"
#include "braid/kernels/convolution/tile.h"
#include "braid/kernels/generated/aarch64/assembler.h"
#include "braid/kernels/generated/block.h"

namespace braid::kernels::generated::aarch64 {

// Channels in a 128-bit register of s32: the width of a panel.
inline constexpr int kVectorLanes = 4;
// Vectors of a pass: four, 16 channels, so that each pass starts where a row of tables starts.
inline constexpr int kPassVectors = 4;

class LoopNest {
 public:
  // Blocks hold at most `most_pixels` columns: what the registers of the instruction set allow.
  LoopNest(const ConvolutionShape& pass, int most_pixels, asmjit::CodeHolder& code);
  virtual ~LoopNest() = default;
  void Emit();

 protected:
  // Sums exist from StartSums to the end of the block. Numbers below kFirstFree hold sums.
  virtual void StartSums() = 0;
  // `steps` of four bytes each: inputs at map_ + pixel * column_stride, weights at tile pointers,
  // both moved to the steps by the caller.
  virtual void Steps(const SourceShape& source, int steps) = 0;
  // Leaves the s32 sums of vector `v` in Sum(p, v) of each pixel.
  virtual void GatherSums() = 0;
  virtual Vec Sum(int pixel, int v) const = 0;

  int pixels() const { return pixels_; }  // of the block that is being emitted
  int vector_count() const { return static_cast<int>(vectors_.size()); }
  void LoadWeights(Vec to, const SourceShape& source, int v, int step);
  // 16 bytes of pixel `p` from step `step` on: four steps.
  void LoadInput(Vec to, const SourceShape& source, int p, int step);

  Assembler a_;

 private:
  // Positions in maps that move alike share a counter on the stack.
  struct Counter {
    int64_t column_stride, row_stride, image_stride;  // bytes
    bool operator==(const Counter&) const = default;
  };
  size_t CounterFor(const Counter& counter);
  void AddToCounter(size_t counter, int64_t bytes);

  void SaveRegisters();
  void RestoreRegisters();
  void Block();
  void Source(size_t first, size_t count);
  void Taps(const SourceShape& source);
  void Run(const SourceShape& source, int steps);
  void Advance(int steps);
  Gp Tile(int output) const;

  void Epilogue(int v);
  void AddWide(int v);
  void StoreWide(int v);
  void AddShortcuts(int v);
  void Requantize(int v);
  void LoadTable(Vec to, const Vector& v, TableRow row);
  int64_t WideOffset(int p, const Vector& v) const;
  // Loads [call + table][output] and moves it to the block's first pixel.
  void LoadMoved(Gp to, size_t table, int output, size_t counter);
  bool UsesWide() const;

  const ConvolutionShape& pass_;
  const std::vector<Vector> vectors_;
  const int most_pixels_;
  int pixels_ = 1;
  std::vector<Counter> counters_;
  std::vector<size_t> source_counter_, output_counter_, wide_counter_;
};

}  // namespace braid::kernels::generated::aarch64
