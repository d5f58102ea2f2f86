#include "braid/kernels/generated/x86/loop_nest.h"

#include <algorithm>
#include <cstddef>

#include "braid/kernels/convolution/kernel_call.h"

namespace braid::kernels::generated::x86 {

using namespace asmjit::x86;  // NOLINT: register names

namespace {

// Multiplications that are written out one after another. Two such blocks fit the cache of decoded
// instructions (4,096 and more since 2019) and, at 8 bytes each, half of the L1 code cache.
constexpr int kUnrolledDots = 720;

const Gp kCalleeSaved[] = {rbx, rbp, r12, r13, r14, r15};

// The stack: three counters, then a pair of positions for each Counter.
constexpr int kImagesLeft = 0, kRowsWanted = 8, kRowsLeft = 16, kBlocksLeft = 24, kCounters = 32;

bool FitsImmediate(int64_t value) { return value == static_cast<int32_t>(value); }

}  // namespace

LoopNest::LoopNest(const ConvolutionShape& pass, const RegisterModel& model,
                   asmjit::CodeHolder& code)
    : pass_(pass), model_(model), vectors_(VectorsOf(pass)), a_(&code) {
  for (const SourceShape& s : pass.sources) {
    source_counter_.push_back(CounterFor({s.column_stride, s.row_stride, s.image_stride}));
  }
  for (const OutputShape& o : pass.outputs) {
    if (pass.finish == Finish::kBytes) {
      output_counter_.push_back(CounterFor({o.column_stride, o.row_stride, o.image_stride}));
    }
    if (pass.start == Start::kWide || pass.finish == Finish::kWide || pass.shortcut ||
        pass.keep_wide) {
      wide_counter_.push_back(CounterFor(
          {o.wide_column_stride * 4, o.wide_row_stride * 4, o.wide_image_stride * 4}));
    }
  }
}

size_t LoopNest::CounterFor(const Counter& counter) {
  const auto found = std::find(counters_.begin(), counters_.end(), counter);
  if (found != counters_.end()) return static_cast<size_t>(found - counters_.begin());
  counters_.push_back(counter);
  return counters_.size() - 1;
}

Mem LoopNest::CounterAt(size_t counter) const {
  return qword_ptr(rsp, kCounters + static_cast<int>(counter) * 16);
}
Mem LoopNest::ImageCounterAt(size_t counter) const {
  return qword_ptr(rsp, kCounters + static_cast<int>(counter) * 16 + 8);
}

void LoopNest::AddTo(const Mem& at, int64_t bytes) {
  if (bytes == 0) return;
  if (FitsImmediate(bytes)) {
    a_.add(at, bytes);
  } else {
    a_.mov(scratch_, bytes);
    a_.add(at, scratch_);
  }
}

void LoopNest::AddTo(Gp to, int64_t bytes) {
  if (bytes != 0) a_.add(to, bytes);
}

void LoopNest::Emit() {
  const asmjit::Label done = a_.newLabel();
  const asmjit::Label image_loop = a_.newLabel();
  const asmjit::Label row_loop = a_.newLabel();
  const int frame = kCounters + static_cast<int>(counters_.size()) * 16;

  for (const Gp& r : kCalleeSaved) a_.push(r);
  a_.sub(rsp, frame);
  a_.mov(r9, rdx);  // images
  a_.sub(r9, rsi);
  a_.jle(done);
  a_.mov(r10, r8);  // rows
  a_.sub(r10, rcx);
  a_.jle(done);
  a_.mov(qword_ptr(rsp, kImagesLeft), r9);
  a_.mov(qword_ptr(rsp, kRowsWanted), r10);
  for (size_t i = 0; i < counters_.size(); ++i) {
    a_.mov(rax, counters_[i].image_stride);
    a_.imul(rax, rsi);
    a_.mov(r9, counters_[i].row_stride);
    a_.imul(r9, rcx);
    a_.add(rax, r9);
    a_.mov(CounterAt(i), rax);
    a_.mov(ImageCounterAt(i), rax);
  }
  EmitConstants();

  a_.bind(image_loop);
  a_.mov(rax, qword_ptr(rsp, kRowsWanted));
  a_.mov(qword_ptr(rsp, kRowsLeft), rax);
  a_.bind(row_loop);
  for (const Segment& segment : SplitColumns(pass_.columns, PixelsFor(model_, pass_))) {
    pixels_ = segment.pixels;
    chains_ = ChainsFor(model_, pixels_ * static_cast<int>(vectors_.size()));
    const asmjit::Label block_loop = a_.newLabel();
    if (segment.count > 1) {
      a_.mov(qword_ptr(rsp, kBlocksLeft), segment.count);
      a_.bind(block_loop);
    }
    Block();
    for (size_t i = 0; i < counters_.size(); ++i) {
      AddTo(CounterAt(i), counters_[i].column_stride * pixels_);
    }
    if (segment.count > 1) {
      a_.dec(qword_ptr(rsp, kBlocksLeft));
      a_.jnz(block_loop);
    }
  }
  for (size_t i = 0; i < counters_.size(); ++i) {
    AddTo(CounterAt(i), counters_[i].row_stride - counters_[i].column_stride * pass_.columns);
  }
  a_.dec(qword_ptr(rsp, kRowsLeft));
  a_.jnz(row_loop);
  for (size_t i = 0; i < counters_.size(); ++i) {
    a_.mov(rax, counters_[i].image_stride);
    a_.add(rax, ImageCounterAt(i));
    a_.mov(ImageCounterAt(i), rax);
    a_.mov(CounterAt(i), rax);
  }
  a_.dec(qword_ptr(rsp, kImagesLeft));
  a_.jnz(image_loop);

  a_.bind(done);
  a_.add(rsp, frame);
  for (size_t i = std::size(kCalleeSaved); i-- > 0;) a_.pop(kCalleeSaved[i]);
  a_.vzeroupper();
  a_.ret();
}

void LoopNest::Block() {
  StartSums();
  for (size_t first = 0; first < pass_.sources.size();) {
    size_t end = first + 1;
    while (end < pass_.sources.size() && pass_.sources[end] == pass_.sources[first]) ++end;
    Source(first, end - first);
    first = end;
  }
  FinishSums();
}

// Equal sources share their code: rbx counts them, rbp walks over the rows of tile pointers.
void LoopNest::Source(size_t first, size_t count) {
  const SourceShape& source = pass_.sources[first];
  const auto outputs = pass_.outputs.size();
  const asmjit::Label loop = a_.newLabel();
  a_.mov(rbx, first);
  a_.mov(rbp, qword_ptr(call_, offsetof(KernelCall, tiles)));
  AddTo(rbp, static_cast<int64_t>(first * outputs * 8));
  if (count > 1) a_.bind(loop);
  a_.mov(scratch_, qword_ptr(call_, offsetof(KernelCall, maps)));
  a_.mov(map_, qword_ptr(scratch_, rbx, 3));
  a_.add(map_, CounterAt(source_counter_[first]));
  for (size_t o = 0; o < outputs; ++o) {
    a_.mov(Tile(static_cast<int>(o)), qword_ptr(rbp, static_cast<int>(o) * 8));
  }
  if (source.encoding == Encoding::kBiased) AddOffsets(source);
  Taps(source);
  if (count > 1) {
    a_.add(rbp, outputs * 8);
    a_.inc(rbx);
    a_.cmp(rbx, first + count);
    a_.jl(loop);
  }
}

void LoopNest::Taps(const SourceShape& source) {
  Runs runs = RunsOf(source);
  int64_t run_stride = source.tap_stride_w;
  int64_t row_stride = source.tap_stride_h;
  // Rows that follow each other without a gap are one run.
  if (runs.per_row == 1 && runs.bytes % 4 == 0 && row_stride == runs.bytes) {
    runs.bytes *= runs.rows;
    runs.rows = 1;
  }
  const int dots_per_step = pixels_ * static_cast<int>(vectors_.size());
  const int budget = std::max(4, kUnrolledDots / dots_per_step);  // steps
  const int row_steps = runs.steps() * runs.per_row;
  const bool loop_rows = runs.rows > 1 && row_steps * runs.rows > budget;
  const bool loop_runs = runs.per_row > 1 && row_steps > budget;
  const int rows = loop_rows ? 1 : runs.rows;
  const int per_row = loop_runs ? 1 : runs.per_row;

  const asmjit::Label row_label = a_.newLabel();
  const asmjit::Label run_label = a_.newLabel();
  if (loop_rows) {
    a_.mov(rcx, runs.rows);
    a_.bind(row_label);
  }
  if (loop_runs) {
    a_.mov(rdx, runs.per_row);
    a_.bind(run_label);
  }
  const bool long_run = runs.steps() > budget;
  int step = 0;
  for (int row = 0; row < rows; ++row) {
    for (int run = 0; run < per_row; ++run) {
      const int64_t map_offset = row * row_stride + run * run_stride;
      if (!long_run) {
        Run(source, map_offset, step, runs.steps());
        step += runs.steps();
        continue;
      }
      // A loop over parts of the run, and a rest. Moves map_ and tiles to the end of the run.
      const int times = (runs.steps() + budget - 1) / budget;
      const int part = runs.steps() / times;
      const asmjit::Label part_label = a_.newLabel();
      a_.mov(rsi, times);
      a_.bind(part_label);
      Run(source, 0, 0, part);
      AddTo(map_, int64_t{part} * 4);
      MoveTiles(part);
      a_.dec(rsi);
      a_.jnz(part_label);
      const int rest = runs.steps() - times * part;
      Run(source, 0, 0, rest);
      AddTo(map_, int64_t{rest} * 4);
      MoveTiles(rest);
    }
  }
  // A long run has moved both pointers over itself; what follows moves them to the next.
  const int64_t moved = long_run ? int64_t{runs.steps()} * 4 : 0;
  if (loop_runs) {
    AddTo(map_, run_stride - moved);
    MoveTiles(long_run ? 0 : runs.steps());
    a_.dec(rdx);
    a_.jnz(run_label);
  }
  if (loop_rows) {
    const int64_t moved_by_row = loop_runs ? run_stride * runs.per_row : moved;
    AddTo(map_, row_stride - moved_by_row);
    MoveTiles(long_run || loop_runs ? 0 : row_steps);
    a_.dec(rcx);
    a_.jnz(row_label);
  }
}

void LoopNest::Run(const SourceShape& source, int64_t map_offset, int first_step, int steps) {
  for (int i = 0; i < steps; ++i) Step(source, map_offset + int64_t{i} * 4, first_step + i);
}

void LoopNest::MoveTiles(int steps) {
  for (size_t o = 0; o < pass_.outputs.size(); ++o) {
    AddTo(Tile(static_cast<int>(o)), int64_t{steps} * pass_.outputs[o].panel_lanes * 4);
  }
}

Gp LoopNest::Tile(int output) const {
  static const Gp kTiles[] = {r9, r10, r11, r12, r13, r14, r15};
  return kTiles[output];
}

Mem LoopNest::WeightsAt(const SourceShape& source, const Vector& v, int step) const {
  const int lanes = pass_.outputs[static_cast<size_t>(v.output)].panel_lanes;
  const size_t at = static_cast<size_t>(v.panel) * PanelBytes(source, lanes) +
                    PanelOffsetBytes(source, lanes) +
                    static_cast<size_t>(step) * static_cast<size_t>(lanes) * 4;
  return ptr(Tile(v.output), static_cast<int32_t>(at));
}

Mem LoopNest::OffsetsAt(const SourceShape& source, const Vector& v) const {
  const int lanes = pass_.outputs[static_cast<size_t>(v.output)].panel_lanes;
  return ptr(Tile(v.output),
             static_cast<int32_t>(static_cast<size_t>(v.panel) * PanelBytes(source, lanes)));
}

void LoopNest::LoadFrom(Gp to, size_t table, int output) {
  a_.mov(to, qword_ptr(call_, static_cast<int>(table)));
  a_.mov(to, qword_ptr(to, output * 8));
}
void LoopNest::LoadOutput(Gp to, int output) {
  LoadFrom(to, offsetof(KernelCall, outputs), output);
  a_.add(to, CounterAt(output_counter_[static_cast<size_t>(output)]));
}
void LoopNest::LoadWide(Gp to, int output) {
  LoadFrom(to, offsetof(KernelCall, wide), output);
  a_.add(to, CounterAt(wide_counter_[static_cast<size_t>(output)]));
}
void LoopNest::LoadShortcut(Gp to, int output) {
  LoadFrom(to, offsetof(KernelCall, shortcuts), output);
  a_.add(to, CounterAt(wide_counter_[static_cast<size_t>(output)]));
}
void LoopNest::LoadTable(Gp to, int output) {
  LoadFrom(to, offsetof(KernelCall, tables), output);
}

}  // namespace braid::kernels::generated::x86
