// What follows the products of a block: wide values, shortcuts, requantization. Layer: kernels.
// Arithmetic: docs/numerics.md, section 3.
#include <cstddef>

#include "braid/kernels/convolution/kernel_call.h"
#include "braid/kernels/generated/aarch64/loop_nest.h"
#include "braid/kernels/requantization.h"

namespace braid::kernels::generated::aarch64 {

using namespace asmjit::a64;  // NOLINT: register names

namespace {

// Free in the epilogue of both instruction sets: sums lie below.
const Vec kValue = v28, kTable = v29, kLimit = v30, kOther = v31;
// Pointers to the block's first pixel, and to the output's tables.
constexpr Gp kCall = x0, kPointer = x2, kTables = x3, kScratch = x1;
constexpr int64_t kCounters = 32;

}  // namespace

void LoopNest::LoadMoved(Gp to, size_t table, int output, size_t counter) {
  a_.Load(to, kCall, static_cast<int64_t>(table));
  a_.Load(to, to, int64_t{output} * 8);
  a_.Load(kScratch, sp, kCounters + static_cast<int64_t>(counter) * 16);
  a_->add(to, to, kScratch);
}

void LoopNest::LoadTable(Vec to, const Vector& v, TableRow row) {
  a_.Load(to, kTables, static_cast<int64_t>(TableIndex(row, v.first_channel)) * 4);
}

int64_t LoopNest::WideOffset(int p, const Vector& v) const {
  const OutputShape& output = pass_.outputs[static_cast<size_t>(v.output)];
  return (p * output.wide_column_stride + v.first_channel) * 4;
}

void LoopNest::Epilogue(int v) {
  const Vector& vector = vectors_[static_cast<size_t>(v)];
  const auto output = static_cast<size_t>(vector.output);
  if (pass_.start == Start::kWide) AddWide(v);
  if (pass_.finish == Finish::kWide) {
    StoreWide(v);
    return;
  }
  a_.Load(kTables, kCall, offsetof(KernelCall, tables));
  a_.Load(kTables, kTables, int64_t{vector.output} * 8);
  LoadTable(kTable, vector, TableRow::kBias);
  for (int p = 0; p < pixels_; ++p) a_->add(Sum(p, v).s4(), Sum(p, v).s4(), kTable.s4());
  if (pass_.shortcut) AddShortcuts(v);
  if (pass_.keep_wide) StoreWide(v);
  LoadMoved(kPointer, offsetof(KernelCall, outputs), vector.output, output_counter_[output]);
  Requantize(v);
}

void LoopNest::AddWide(int v) {
  const Vector& vector = vectors_[static_cast<size_t>(v)];
  LoadMoved(kPointer, offsetof(KernelCall, wide), vector.output,
            wide_counter_[static_cast<size_t>(vector.output)]);
  for (int p = 0; p < pixels_; ++p) {
    a_.Load(kValue, kPointer, WideOffset(p, vector));
    a_->add(Sum(p, v).s4(), Sum(p, v).s4(), kValue.s4());
  }
}

// Lanes past the output's channels go to the padding of a wide pixel.
void LoopNest::StoreWide(int v) {
  const Vector& vector = vectors_[static_cast<size_t>(v)];
  LoadMoved(kPointer, offsetof(KernelCall, wide), vector.output,
            wide_counter_[static_cast<size_t>(vector.output)]);
  for (int p = 0; p < pixels_; ++p) a_.Store(Sum(p, v), kPointer, WideOffset(p, vector));
}

// sum += (clamp(u) * mul + half) >> shift
void LoopNest::AddShortcuts(int v) {
  const Vector& vector = vectors_[static_cast<size_t>(v)];
  LoadMoved(kPointer, offsetof(KernelCall, shortcuts), vector.output,
            wide_counter_[static_cast<size_t>(vector.output)]);
  LoadTable(kTable, vector, TableRow::kShortcutMul);
  a_.Load(kLimit, kCall, offsetof(KernelCall, shortcut_high));
  a_.Load(kOther, kCall, offsetof(KernelCall, shortcut_low));
  for (int p = 0; p < pixels_; ++p) {
    const Vec sum = Sum(p, v);
    a_.Load(kValue, kPointer, WideOffset(p, vector));
    a_->smin(kValue.s4(), kValue.s4(), kLimit.s4());
    a_->smax(kValue.s4(), kValue.s4(), kOther.s4());
    a_->mul(kValue.s4(), kValue.s4(), kTable.s4());
    // srshr adds 2^(shift-1) before it shifts; exact, for it keeps the carry.
    a_->srshr(kValue.s4(), kValue.s4(), pass_.shortcut_shift);
    a_->add(sum.s4(), sum.s4(), kValue.s4());
  }
}

void LoopNest::Requantize(int v) {
  const Vector& vector = vectors_[static_cast<size_t>(v)];
  const OutputShape& output = pass_.outputs[static_cast<size_t>(vector.output)];
  LoadTable(kTable, vector, TableRow::kLow);
  LoadTable(kLimit, vector, TableRow::kHigh);
  LoadTable(kOther, vector, TableRow::kMul);
  a_.Load(kValue, kCall, offsetof(KernelCall, output_half));
  for (int p = 0; p < pixels_; ++p) {
    const Vec sum = Sum(p, v);
    a_->smax(sum.s4(), sum.s4(), kTable.s4());
    a_->smin(sum.s4(), sum.s4(), kLimit.s4());
    a_->mul(sum.s4(), sum.s4(), kOther.s4());
    a_->add(sum.s4(), sum.s4(), kValue.s4());
    a_->sshr(sum.s4(), sum.s4(), kRequantizationShift);
    // The low byte of each lane is the result.
    a_->xtn(sum.h4(), sum.s4());
    a_->xtn(sum.b8(), sum.h8());
    a_.StoreLow(sum, vector.valid, kPointer, p * output.column_stride + vector.first_channel);
  }
}

}  // namespace braid::kernels::generated::aarch64
