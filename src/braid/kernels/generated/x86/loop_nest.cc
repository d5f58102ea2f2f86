#include "braid/kernels/generated/x86/loop_nest.h"

#include <algorithm>
#include <cstddef>
#include <map>

#include "braid/kernels/convolution/kernel_call.h"

namespace braid::kernels::generated::x86 {

using namespace asmjit::x86;  // NOLINT: register names

namespace {

const Gp kCalleeSaved[] = {rbx, rbp, r12, r13, r14, r15};

// The stack: counters, the number of the output row and of the first one, then a pair of positions
// for each Counter, then a word for each RowsOfTaps.
constexpr int kImagesLeft = 0, kRowsWanted = 8, kRowsLeft = 16, kBlocksLeft = 24, kRow = 32,
              kFirstRow = 40, kCounters = 48;

bool FitsImmediate(int64_t value) { return value == static_cast<int32_t>(value); }

}  // namespace

LoopNest::LoopNest(const ConvolutionShape& pass, const RegisterModel& model,
                   asmjit::CodeHolder& code)
    : pass_(pass), model_(model), vectors_(VectorsOf(pass)), a_(&code) {
  for (const SourceShape& s : pass.sources) {
    source_counter_.push_back(CounterFor({s.column_stride, s.row_stride, s.image_stride}));
    source_rows_of_taps_.push_back(RowsOfTapsFor(s));
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

int LoopNest::RowsOfTapsFor(const SourceShape& s) {
  if (s.edges.top == 0 && s.edges.bottom == Edges::kNone) return kAllRows;
  const RowsOfTaps rows{s.row_stride, s.tap_stride_h, s.kernel_h, s.edges.top, s.edges.bottom};
  const auto found = std::find(rows_of_taps_.begin(), rows_of_taps_.end(), rows);
  if (found != rows_of_taps_.end()) return static_cast<int>(found - rows_of_taps_.begin());
  rows_of_taps_.push_back(rows);
  return static_cast<int>(rows_of_taps_.size()) - 1;
}

Mem LoopNest::RowsOfTapsAt(int rows) const {
  return qword_ptr(rsp, kCounters + static_cast<int>(counters_.size()) * 16 + rows * 8);
}

// For each row of taps, from the first: whether its first byte lies between top and bottom, by one
// unsigned comparison whose carry becomes a bit.
void LoopNest::FindRowsOfTaps() {
  for (size_t i = 0; i < rows_of_taps_.size(); ++i) {
    const RowsOfTaps& rows = rows_of_taps_[i];
    a_.imul(scratch_, qword_ptr(rsp, kRow), rows.row_stride);
    a_.xor_(ecx, ecx);
    for (int ky = 0; ky < rows.kernel_h; ++ky) {
      a_.lea(rdx, ptr(scratch_, static_cast<int32_t>(ky * rows.tap_stride_h - rows.top)));
      a_.cmp(rdx, rows.bottom - rows.top);
      a_.adc(ecx, ecx);
    }
    a_.add(ecx, ecx);
    a_.mov(RowsOfTapsAt(static_cast<int>(i)), rcx);
  }
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
  const int frame = kCounters + static_cast<int>(counters_.size()) * 16 +
                    static_cast<int>(rows_of_taps_.size()) * 8;

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
  a_.mov(qword_ptr(rsp, kFirstRow), rcx);
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
  if (!rows_of_taps_.empty()) {
    a_.mov(rax, qword_ptr(rsp, kFirstRow));
    a_.mov(qword_ptr(rsp, kRow), rax);
  }
  a_.bind(row_loop);
  FindRowsOfTaps();
  for (const RowPart& part : RowPartsOf(pass_, PixelsFor(model_, pass_))) {
    pixels_ = part.pixels;
    chains_ = ChainsFor(model_, pixels_ * static_cast<int>(vectors_.size()));
    const asmjit::Label block_loop = a_.newLabel();
    if (part.count > 1) {
      a_.mov(qword_ptr(rsp, kBlocksLeft), part.count);
      a_.bind(block_loop);
    }
    Block(part);
    for (size_t i = 0; i < counters_.size(); ++i) {
      AddTo(CounterAt(i), counters_[i].column_stride * pixels_);
    }
    if (part.count > 1) {
      a_.dec(qword_ptr(rsp, kBlocksLeft));
      a_.jnz(block_loop);
    }
  }
  for (size_t i = 0; i < counters_.size(); ++i) {
    AddTo(CounterAt(i), counters_[i].row_stride - counters_[i].column_stride * pass_.columns);
  }
  if (!rows_of_taps_.empty()) a_.inc(qword_ptr(rsp, kRow));
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

void LoopNest::Block(const RowPart& part) {
  StartSums();
  for (size_t first = 0; first < pass_.sources.size();) {
    size_t end = first + 1;
    while (end < pass_.sources.size() && pass_.sources[end] == pass_.sources[first]) ++end;
    Source(part, first, end - first);
    first = end;
  }
  FinishSums();
}

// Equal sources share their code: rbx counts them, rbp walks over the rows of tile pointers.
void LoopNest::Source(const RowPart& part, size_t first, size_t count) {
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
  Taps(part, first);
  if (count > 1) {
    a_.add(rbp, outputs * 8);
    a_.inc(rbx);
    a_.cmp(rbx, first + count);
    a_.jl(loop);
  }
}

void LoopNest::Taps(const RowPart& part, size_t source_index) {
  const SourceShape& source = pass_.sources[source_index];
  if (source.depthwise) return DepthwiseTaps(source);
  const int rows_of_taps = source_rows_of_taps_[source_index];
  Runs runs = RunsOf(source);
  const int64_t run_stride = source.tap_stride_w;
  const int64_t row_stride = source.tap_stride_h;
  // Rows that follow each other without a gap are one run.
  if (source.edges == Edges{} && runs.per_row == 1 && runs.bytes % 4 == 0 &&
      row_stride == runs.bytes) {
    runs.bytes *= runs.rows;
    runs.rows = 1;
  }
  std::vector<Span> spans = part.edge ? SpansOf(source, runs, part.first_column, part.pixels)
                                      : InnerSpans(source, runs, part.pixels);
  if (spans.empty()) return;
  const int dots_per_step = pixels_ * static_cast<int>(vectors_.size());
  const int budget = std::max(4, model_.unrolled_dots / dots_per_step);  // steps
  const int row_steps = runs.steps() * runs.per_row;
  const bool loop_rows = runs.rows > 1 && row_steps * runs.rows > budget;
  const bool loop_runs = !part.edge && runs.per_row > 1 && row_steps > budget;
  if (loop_runs) spans.resize(1);
  // Shared by all spans of a row that cannot be written out.
  const int span_budget = row_steps > budget ? std::max(4, budget / static_cast<int>(spans.size()))
                                             : row_steps;

  const asmjit::Label row_label = a_.newLabel();
  if (loop_rows) {
    a_.mov(rcx, runs.rows);
    a_.bind(row_label);
  }
  for (int row = 0; row < (loop_rows ? 1 : runs.rows); ++row) {
    const asmjit::Label skip = a_.newLabel();
    const asmjit::Label next = a_.newLabel();
    if (rows_of_taps != kAllRows && loop_rows) {
      a_.mov(scratch_, RowsOfTapsAt(rows_of_taps));
      a_.bt(scratch_, rcx);
      a_.jnc(skip);
    } else if (rows_of_taps != kAllRows) {
      a_.test(RowsOfTapsAt(rows_of_taps), 1 << (runs.rows - row));
      a_.jz(skip);
    }
    Moved moved;
    if (loop_runs) {
      const asmjit::Label run_label = a_.newLabel();
      a_.mov(rdx, runs.per_row);
      a_.bind(run_label);
      StepsOfRow(source, spans, {}, span_budget, moved);
      Advance(run_stride - moved.map_bytes, runs.steps() - moved.steps);
      a_.dec(rdx);
      a_.jnz(run_label);
      moved = {run_stride * runs.per_row, row_steps};
    } else {
      StepsOfRow(source, spans, {row * row_stride, row * row_steps}, span_budget, moved);
    }
    if (loop_rows) {
      Advance(row_stride - moved.map_bytes, row_steps - moved.steps);
      if (rows_of_taps != kAllRows) {
        a_.jmp(next);
        a_.bind(skip);
        Advance(row_stride, row_steps);
      }
    } else {
      a_.bind(skip);
    }
    a_.bind(next);
  }
  if (loop_rows) {
    a_.dec(rcx);
    a_.jnz(row_label);
  }
}

// The spans of a row of taps that begins at `row`, seen from where the pointers are. One of more
// steps than `span_budget` is a loop over parts, and a rest; it moves the pointers to its end.
void LoopNest::StepsOfRow(const SourceShape& source, const std::vector<Span>& spans,
                          const Moved& row, int span_budget, Moved& moved) {
  for (const Span& span : spans) {
    live_ = span.live;
    const Moved at{row.map_bytes + span.map_offset, row.steps + span.first_step};
    if (span.steps <= span_budget) {
      WriteOut(source, at.map_bytes - moved.map_bytes, at.steps - moved.steps, span.steps);
      continue;
    }
    Advance(at.map_bytes - moved.map_bytes, at.steps - moved.steps);
    const int times = (span.steps + span_budget - 1) / span_budget;
    const int part = span.steps / times;
    const int rest = span.steps - times * part;
    const asmjit::Label part_label = a_.newLabel();
    a_.mov(rsi, times);
    a_.bind(part_label);
    WriteOut(source, 0, 0, part);
    Advance(int64_t{part} * 4, part);
    a_.dec(rsi);
    a_.jnz(part_label);
    WriteOut(source, 0, 0, rest);
    Advance(int64_t{rest} * 4, rest);
    moved = {at.map_bytes + int64_t{span.steps} * 4, at.steps + span.steps};
  }
}

// Rows of taps by fours, then what is left of them.
void LoopNest::DepthwiseTaps(const SourceShape& source) {
  const int fours = source.kernel_h / kDepthwiseRows;
  const int rest = source.kernel_h % kDepthwiseRows;
  const int64_t map_bytes = kDepthwiseRows * source.tap_stride_h;
  const asmjit::Label loop = a_.newLabel();
  if (fours > 1) {
    a_.mov(rcx, fours);
    a_.bind(loop);
  }
  if (fours > 0) DepthwiseRows(source, 0, 0, kDepthwiseRows);
  if (fours > 1) {
    Advance(map_bytes, source.kernel_w);
    a_.dec(rcx);
    a_.jnz(loop);
  }
  if (rest > 0) {
    const bool behind = fours == 1;
    DepthwiseRows(source, behind ? map_bytes : 0, behind ? source.kernel_w : 0, rest);
  }
}

// Each column of the map is read once for all pixels whose windows share it.
void LoopNest::DepthwiseRows(const SourceShape& source, int64_t map_offset, int first_step,
                             int rows) {
  std::map<int64_t, std::vector<Tap>> columns;
  for (int p = 0; p < pixels_; ++p) {
    for (int kx = 0; kx < source.kernel_w; ++kx) {
      columns[p * source.column_stride + kx * source.tap_stride_w].push_back({p, first_step + kx});
    }
  }
  for (const auto& [at, taps] : columns) Column(source, map_offset + at, rows, taps);
}

void LoopNest::WriteOut(const SourceShape& source, int64_t map_offset, int first_step, int steps) {
  for (int i = 0; i < steps; ++i) Step(source, map_offset + int64_t{i} * 4, first_step + i);
}

void LoopNest::Advance(int64_t map_bytes, int steps) {
  AddTo(map_, map_bytes);
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
