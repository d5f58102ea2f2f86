// The loops of a generated convolution: images, rows, blocks of columns, sources, taps. What
// happens in a block is left to an instruction set. Layer: kernels. Theory: docs/kernels.md.
#pragma once

#include <asmjit/x86.h>

#include <vector>

#include "braid/kernels/convolution/shape.h"
#include "braid/kernels/convolution/tile.h"
#include "braid/kernels/generated/block.h"

namespace braid::kernels::generated::x86 {

class LoopNest {
 public:
  LoopNest(const ConvolutionShape& pass, const RegisterModel& model, asmjit::CodeHolder& code);
  virtual ~LoopNest() = default;
  void Emit();

 protected:
  // One block of `pixels_` columns. Sums exist between StartSums and FinishSums.
  virtual void EmitConstants() {}
  virtual void StartSums() = 0;
  // Adds the offsets of a kBiased source's tiles.
  virtual void AddOffsets(const SourceShape& source) = 0;
  // One step: four bytes at map_ + `map_offset` of each pixel, weights at step `step`.
  virtual void Step(const SourceShape& source, int64_t map_offset, int step) = 0;
  virtual void FinishSums() = 0;

  // Loads the pointer `[call + table][output]` into `to` and moves it to the block's first pixel.
  void LoadOutput(asmjit::x86::Gp to, int output);
  void LoadWide(asmjit::x86::Gp to, int output);
  void LoadShortcut(asmjit::x86::Gp to, int output);
  void LoadTable(asmjit::x86::Gp to, int output);  // not moved

  // Weights of vector `v` at `step`, in tile pointers as they are within a source.
  asmjit::x86::Mem WeightsAt(const SourceShape& source, const Vector& v, int step) const;
  asmjit::x86::Mem OffsetsAt(const SourceShape& source, const Vector& v) const;

  const ConvolutionShape& pass_;
  const RegisterModel& model_;
  const std::vector<Vector> vectors_;
  asmjit::x86::Assembler a_;
  int pixels_ = 1;  // of the block that is being emitted
  int chains_ = 1;
  const asmjit::x86::Gp call_ = asmjit::x86::rdi;
  const asmjit::x86::Gp map_ = asmjit::x86::r8;
  const asmjit::x86::Gp scratch_ = asmjit::x86::rax;

 private:
  // Positions in maps that move alike share a counter on the stack.
  struct Counter {
    int64_t column_stride, row_stride, image_stride;  // bytes
    bool operator==(const Counter&) const = default;
  };
  size_t CounterFor(const Counter& counter);
  asmjit::x86::Mem CounterAt(size_t counter) const;
  asmjit::x86::Mem ImageCounterAt(size_t counter) const;
  void AddTo(const asmjit::x86::Mem& at, int64_t bytes);
  void AddTo(asmjit::x86::Gp to, int64_t bytes);

  void Block();
  void Source(size_t first, size_t count);
  // The steps of one source, with the loops that keep the code small.
  void Taps(const SourceShape& source);
  void Run(const SourceShape& source, int64_t map_offset, int first_step, int steps);
  void MoveTiles(int steps);
  asmjit::x86::Gp Tile(int output) const;
  void LoadFrom(asmjit::x86::Gp to, size_t table, int output);

  std::vector<Counter> counters_;
  std::vector<size_t> source_counter_, output_counter_, wide_counter_;
};

}  // namespace braid::kernels::generated::x86
