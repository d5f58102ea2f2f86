#include "braid/kernels/generated/aarch64/loop_nest.h"

#include <algorithm>
#include <cstddef>

#include "braid/kernels/convolution/kernel_call.h"

namespace braid::kernels::generated::aarch64 {

using namespace asmjit::a64;  // NOLINT: register names

namespace {

// Steps written out one after another; a multiple of the four that one load of inputs serves.
constexpr int kUnrolledSteps = 8;

// The stack: counters of loops, then a pair of positions for each Counter.
constexpr int64_t kImagesLeft = 0, kRowsWanted = 8, kRowsLeft = 16, kBlocksLeft = 24, kCounters = 32;

// Registers with a task through the whole function. x16 and x17 are the Assembler's.
constexpr Gp kCall = x0, kMap = x8;
constexpr Gp kRowsOfTaps = x5, kRunsLeft = x6, kPartsLeft = x7;
constexpr Gp kSource = x19, kTileRow = x20;
constexpr Gp kScratch = x1;
// Bytes that hold x19, x20 and the low halves of v8 to v15, which the caller keeps.
constexpr int kSavedBytes = 16 + 64;

}  // namespace

LoopNest::LoopNest(const ConvolutionShape& pass, int most_pixels, asmjit::CodeHolder& code)
    : a_(code), pass_(pass), vectors_(VectorsOf(pass)), most_pixels_(most_pixels) {
  for (const SourceShape& s : pass.sources) {
    source_counter_.push_back(CounterFor({s.column_stride, s.row_stride, s.image_stride}));
  }
  for (const OutputShape& o : pass.outputs) {
    if (pass.finish == Finish::kBytes) {
      output_counter_.push_back(CounterFor({o.column_stride, o.row_stride, o.image_stride}));
    }
    if (UsesWide()) {
      wide_counter_.push_back(CounterFor(
          {o.wide_column_stride * 4, o.wide_row_stride * 4, o.wide_image_stride * 4}));
    }
  }
}

bool LoopNest::UsesWide() const {
  return pass_.start == Start::kWide || pass_.finish == Finish::kWide || pass_.shortcut ||
         pass_.keep_wide;
}

size_t LoopNest::CounterFor(const Counter& counter) {
  const auto found = std::find(counters_.begin(), counters_.end(), counter);
  if (found != counters_.end()) return static_cast<size_t>(found - counters_.begin());
  counters_.push_back(counter);
  return counters_.size() - 1;
}

void LoopNest::AddToCounter(size_t counter, int64_t bytes) {
  if (bytes == 0) return;
  const auto at = static_cast<int64_t>(counter) * 16 + kCounters;
  a_.Load(kScratch, sp, at);
  a_.Add(kScratch, kScratch, bytes);
  a_.Store(kScratch, sp, at);
}

void LoopNest::SaveRegisters() {
  a_->sub(sp, sp, kSavedBytes);
  a_->stp(x19, x20, ptr(sp));
  a_->stp(d8, d9, ptr(sp, 16));
  a_->stp(d10, d11, ptr(sp, 32));
  a_->stp(d12, d13, ptr(sp, 48));
  a_->stp(d14, d15, ptr(sp, 64));
}

void LoopNest::RestoreRegisters() {
  a_->ldp(x19, x20, ptr(sp));
  a_->ldp(d8, d9, ptr(sp, 16));
  a_->ldp(d10, d11, ptr(sp, 32));
  a_->ldp(d12, d13, ptr(sp, 48));
  a_->ldp(d14, d15, ptr(sp, 64));
  a_->add(sp, sp, kSavedBytes);
}

// Called with the call in x0, images in x1 and x2, rows in x3 and x4.
void LoopNest::Emit() {
  const asmjit::Label done = a_->newLabel();
  const asmjit::Label image_loop = a_->newLabel();
  const asmjit::Label row_loop = a_->newLabel();
  const auto frame = kCounters + static_cast<int64_t>(counters_.size()) * 16;

  SaveRegisters();
  a_.Add(sp, sp, -frame);
  a_->subs(x5, x2, x1);
  a_->b_le(done);
  a_->subs(x6, x4, x3);
  a_->b_le(done);
  a_.Store(x5, sp, kImagesLeft);
  a_.Store(x6, sp, kRowsWanted);
  for (size_t i = 0; i < counters_.size(); ++i) {
    const auto at = kCounters + static_cast<int64_t>(i) * 16;
    a_.Set(x9, counters_[i].image_stride);
    a_->mul(x9, x9, x1);
    a_.Set(x10, counters_[i].row_stride);
    a_->madd(x9, x10, x3, x9);
    a_.Store(x9, sp, at);
    a_.Store(x9, sp, at + 8);
  }

  a_->bind(image_loop);
  a_.Load(kScratch, sp, kRowsWanted);
  a_.Store(kScratch, sp, kRowsLeft);
  a_->bind(row_loop);
  for (const Segment& segment : SplitColumns(pass_.columns, most_pixels_)) {
    pixels_ = segment.pixels;
    const asmjit::Label block_loop = a_->newLabel();
    a_.Set(kScratch, segment.count);
    a_.Store(kScratch, sp, kBlocksLeft);
    a_->bind(block_loop);
    Block();
    for (size_t i = 0; i < counters_.size(); ++i) {
      AddToCounter(i, counters_[i].column_stride * pixels_);
    }
    a_.Load(kScratch, sp, kBlocksLeft);
    a_->subs(kScratch, kScratch, 1);
    a_.Store(kScratch, sp, kBlocksLeft);
    a_->b_ne(block_loop);
  }
  for (size_t i = 0; i < counters_.size(); ++i) {
    AddToCounter(i, counters_[i].row_stride - counters_[i].column_stride * pass_.columns);
  }
  a_.Load(kScratch, sp, kRowsLeft);
  a_->subs(kScratch, kScratch, 1);
  a_.Store(kScratch, sp, kRowsLeft);
  a_->b_ne(row_loop);
  for (size_t i = 0; i < counters_.size(); ++i) {
    const auto at = kCounters + static_cast<int64_t>(i) * 16;
    a_.Load(kScratch, sp, at + 8);
    a_.Add(kScratch, kScratch, counters_[i].image_stride);
    a_.Store(kScratch, sp, at + 8);
    a_.Store(kScratch, sp, at);
  }
  a_.Load(kScratch, sp, kImagesLeft);
  a_->subs(kScratch, kScratch, 1);
  a_.Store(kScratch, sp, kImagesLeft);
  a_->b_ne(image_loop);

  a_->bind(done);
  a_.Add(sp, sp, frame);
  RestoreRegisters();
  a_->ret(x30);
}

void LoopNest::Block() {
  StartSums();
  for (size_t first = 0; first < pass_.sources.size();) {
    size_t end = first + 1;
    while (end < pass_.sources.size() && pass_.sources[end] == pass_.sources[first]) ++end;
    Source(first, end - first);
    first = end;
  }
  GatherSums();
  for (int v = 0; v < vector_count(); ++v) Epilogue(v);
}

// Equal sources share their code: kSource counts them, kTileRow walks over the rows of tiles.
void LoopNest::Source(size_t first, size_t count) {
  const SourceShape& source = pass_.sources[first];
  const auto outputs = pass_.outputs.size();
  const asmjit::Label loop = a_->newLabel();
  a_.Set(kSource, static_cast<int64_t>(first));
  a_.Load(kTileRow, kCall, offsetof(KernelCall, tiles));
  a_.Add(kTileRow, kTileRow, static_cast<int64_t>(first * outputs * 8));
  a_->bind(loop);
  a_.Load(kMap, kCall, offsetof(KernelCall, maps));
  a_->ldr(kMap, ptr(kMap, kSource, lsl(3)));
  a_.Load(kScratch, sp, kCounters + static_cast<int64_t>(source_counter_[first]) * 16);
  a_->add(kMap, kMap, kScratch);
  for (size_t o = 0; o < outputs; ++o) {
    a_.Load(Tile(static_cast<int>(o)), kTileRow, static_cast<int64_t>(o) * 8);
  }
  Taps(source);
  if (count > 1) {
    a_.Add(kTileRow, kTileRow, static_cast<int64_t>(outputs * 8));
    a_.Add(kSource, kSource, 1);
    a_.Set(kScratch, static_cast<int64_t>(first + count));
    a_->cmp(kSource, kScratch);
    a_->b_lt(loop);
  }
}

void LoopNest::Taps(const SourceShape& source) {
  Runs runs = RunsOf(source);
  // Rows that follow each other without a gap are one run.
  if (runs.per_row == 1 && runs.bytes % 4 == 0 && source.tap_stride_h == runs.bytes) {
    runs.bytes *= runs.rows;
    runs.rows = 1;
  }
  const asmjit::Label row_loop = a_->newLabel();
  const asmjit::Label run_loop = a_->newLabel();
  const int64_t run_bytes = int64_t{runs.steps()} * 4;
  if (runs.rows > 1) {
    a_.Set(kRowsOfTaps, runs.rows);
    a_->bind(row_loop);
  }
  if (runs.per_row > 1) {
    a_.Set(kRunsLeft, runs.per_row);
    a_->bind(run_loop);
  }
  Run(source, runs.steps());  // moves map and tiles to its end
  if (runs.per_row > 1) {
    a_.Add(kMap, kMap, source.tap_stride_w - run_bytes);
    a_->subs(kRunsLeft, kRunsLeft, 1);
    a_->b_ne(run_loop);
  }
  if (runs.rows > 1) {
    const int64_t moved = runs.per_row > 1 ? source.tap_stride_w * runs.per_row : run_bytes;
    a_.Add(kMap, kMap, source.tap_stride_h - moved);
    a_->subs(kRowsOfTaps, kRowsOfTaps, 1);
    a_->b_ne(row_loop);
  }
}

void LoopNest::Run(const SourceShape& source, int steps) {
  const int parts = steps / kUnrolledSteps;
  const asmjit::Label part_loop = a_->newLabel();
  if (parts > 0) {
    if (parts > 1) {
      a_.Set(kPartsLeft, parts);
      a_->bind(part_loop);
    }
    Steps(source, kUnrolledSteps);
    Advance(kUnrolledSteps);
    if (parts > 1) {
      a_->subs(kPartsLeft, kPartsLeft, 1);
      a_->b_ne(part_loop);
    }
  }
  const int rest = steps % kUnrolledSteps;
  if (rest > 0) {
    Steps(source, rest);
    Advance(rest);
  }
}

void LoopNest::Advance(int steps) {
  a_.Add(kMap, kMap, int64_t{steps} * 4);
  for (size_t o = 0; o < pass_.outputs.size(); ++o) {
    a_.Add(Tile(static_cast<int>(o)), Tile(static_cast<int>(o)), int64_t{steps} * kVectorLanes * 4);
  }
}

Gp LoopNest::Tile(int output) const {
  static constexpr Gp kTiles[kPassVectors] = {x9, x10, x11, x12};
  return kTiles[output];
}

void LoopNest::LoadWeights(Vec to, const SourceShape& source, int v, int step) {
  const Vector& vector = vectors_[static_cast<size_t>(v)];
  a_.Load(to, Tile(vector.output),
          static_cast<int64_t>(vector.panel) * static_cast<int64_t>(PanelBytes(source, kVectorLanes)) +
              int64_t{step} * kVectorLanes * 4);
}

void LoopNest::LoadInput(Vec to, const SourceShape& source, int p, int step) {
  a_.Load(to, kMap, p * source.column_stride + int64_t{step} * 4);
}

}  // namespace braid::kernels::generated::aarch64
