// The loops of a generated convolution: images, rows, blocks of columns, sources, taps. What
// happens in a block is left to an instruction set. Layer: kernels. Theory: docs/kernels.md.
#pragma once

#include <asmjit/x86.h>

#include <vector>

#include "braid/kernels/convolution/shape.h"
#include "braid/kernels/convolution/tile.h"
#include "braid/kernels/generated/block.h"
#include "braid/kernels/generated/spans.h"

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
  // One step: four bytes at map_ + `map_offset` of each live pixel, weights at step `step`.
  virtual void Step(const SourceShape& source, int64_t map_offset, int step) = 0;
  virtual void FinishSums() = 0;
  // One column of a depthwise source's map, `rows` (1 to 4) rows of taps from map_ + `map_offset`
  // on: each of `taps` adds it to a pixel's sum with the weights at its step.
  struct Tap {
    int pixel = 0;
    int step = 0;
  };
  virtual void Column(const SourceShape& source, int64_t map_offset, int rows,
                      const std::vector<Tap>& taps) = 0;

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
  bool Live(int pixel) const { return (live_ >> pixel & 1) != 0; }

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

  // Rows of taps that read the map for the output row at hand: a word of bits on the stack, one for
  // all sources that have them alike. Bit kernel_h - ky is set where row `ky` of taps is needed.
  struct RowsOfTaps {
    int64_t row_stride, tap_stride_h;
    int kernel_h;
    int64_t top, bottom;
    bool operator==(const RowsOfTaps&) const = default;
  };
  static constexpr int kAllRows = -1;
  // Index of the word of `source`; kAllRows where every row is needed.
  int RowsOfTapsFor(const SourceShape& source);
  asmjit::x86::Mem RowsOfTapsAt(int rows) const;
  void FindRowsOfTaps();

  void Block(const RowPart& part);
  void Source(const RowPart& part, size_t first, size_t count);
  // The steps of one source, with the loops that keep the code small.
  void Taps(const RowPart& part, size_t source_index);
  void DepthwiseTaps(const SourceShape& source);
  void DepthwiseRows(const SourceShape& source, int64_t map_offset, int first_step, int rows);
  // A place in a window, as pointers reach it: bytes of the map, steps of tiles.
  struct Moved {
    int64_t map_bytes = 0;
    int steps = 0;
  };
  void StepsOfRow(const SourceShape& source, const std::vector<Span>& spans, const Moved& row,
                  int span_budget, Moved& moved);
  void WriteOut(const SourceShape& source, int64_t map_offset, int first_step, int steps);
  void Advance(int64_t map_bytes, int steps);
  asmjit::x86::Gp Tile(int output) const;
  void LoadFrom(asmjit::x86::Gp to, size_t table, int output);

  std::vector<Counter> counters_;
  std::vector<size_t> source_counter_, output_counter_, wide_counter_;
  std::vector<RowsOfTaps> rows_of_taps_;
  std::vector<int> source_rows_of_taps_;
  uint32_t live_ = 0;  // pixels of the span that is being emitted
};

}  // namespace braid::kernels::generated::x86
