#include "braid/kernels/generated/x86/block_emitter.h"

#include <cstddef>

namespace braid::kernels::generated::x86 {

using namespace asmjit::x86;  // NOLINT: register names

namespace {

// Registers that only EVEX encodes.
bool NeedsEvex(const Vec& r) { return r.isZmm() || r.id() >= 16; }

}  // namespace

Vec Reg(int number, int lanes) {
  const auto n = static_cast<uint32_t>(number);
  if (lanes == 16) return zmm(n);
  if (lanes == 8) return ymm(n);
  return xmm(n);
}

Mem TableAt(Gp base, const Vector& v, TableRow row) {
  return ptr(base, static_cast<int32_t>(TableIndex(row, v.first_channel) * sizeof(int32_t)));
}

Mem CallConstant(Gp call, size_t offset) { return ptr(call, static_cast<int32_t>(offset)); }

void BlockEmitter::Load(const Vec& to, const Mem& from) {
  if (NeedsEvex(to)) {
    a_.vmovdqu32(to, from);
  } else {
    a_.vmovdqu(to, from);
  }
}

void BlockEmitter::Store(const Mem& to, const Vec& from) {
  if (NeedsEvex(from)) {
    a_.vmovdqu32(to, from);
  } else {
    a_.vmovdqu(to, from);
  }
}

Mem BlockEmitter::WideAt(int p, const Vector& v) const {
  const OutputShape& output = pass_.outputs[static_cast<size_t>(v.output)];
  return ptr(r9, static_cast<int32_t>((p * output.wide_column_stride + v.first_channel) * 4));
}

void BlockEmitter::StartSums() {
  step_count_ = 0;
  const bool wide = pass_.start == Start::kWide;
  const bool bias = !wide && pass_.finish == Finish::kBytes;
  const auto zero = [&](const Vec& sum) {
    if (NeedsEvex(sum)) {
      a_.vpxord(sum, sum, sum);
    } else {
      a_.vpxor(sum, sum, sum);
    }
  };
  int loaded = -1;
  for (int v = 0; v < static_cast<int>(vectors_.size()); ++v) {
    const Vector& vector = vectors_[static_cast<size_t>(v)];
    if (loaded != vector.output) {
      loaded = vector.output;
      if (wide) LoadWide(r9, vector.output);
      if (bias) LoadTable(r9, vector.output);
    }
    for (int p = 0; p < pixels_; ++p) {
      const Vec sum = Reg(Sum(p, v), vector.lanes);
      if (wide) {
        Load(sum, WideAt(p, vector));
      } else if (bias) {
        Load(sum, TableAt(r9, vector, TableRow::kBias));
      } else {
        zero(sum);
      }
      for (int chain = 1; chain < chains_; ++chain) zero(Reg(Sum(p, v, chain), vector.lanes));
    }
  }
}

void BlockEmitter::FinishSums() {
  for (int v = 0; v < static_cast<int>(vectors_.size()); ++v) {
    const Vector& vector = vectors_[static_cast<size_t>(v)];
    for (int chain = 1; chain < chains_; ++chain) {
      for (int p = 0; p < pixels_; ++p) {
        const Vec sum = Reg(Sum(p, v), vector.lanes);
        a_.vpaddd(sum, sum, Reg(Sum(p, v, chain), vector.lanes));
      }
    }
    if (pass_.finish == Finish::kWide) {
      StoreWide(v);
      continue;
    }
    LoadTable(r10, vector.output);
    if (pass_.start == Start::kWide) AddBias(v);
    if (pass_.shortcut) AddShortcuts(v);
    if (pass_.keep_wide) StoreWide(v);
    LoadOutput(r11, vector.output);
    Requantize(v);
  }
}

void BlockEmitter::StoreWide(int v) {
  const Vector& vector = vectors_[static_cast<size_t>(v)];
  LoadWide(r9, vector.output);
  for (int p = 0; p < pixels_; ++p) Store(WideAt(p, vector), Reg(Sum(p, v), vector.lanes));
}

void BlockEmitter::AddBias(int v) {
  const Vector& vector = vectors_[static_cast<size_t>(v)];
  const Vec row = Reg(row_, vector.lanes);
  Load(row, TableAt(r10, vector, TableRow::kBias));
  for (int p = 0; p < pixels_; ++p) {
    const Vec sum = Reg(Sum(p, v), vector.lanes);
    a_.vpaddd(sum, sum, row);
  }
}

// sum += (clamp(u) * mul + half) >> shift
void BlockEmitter::AddShortcuts(int v) {
  const Vector& vector = vectors_[static_cast<size_t>(v)];
  LoadShortcut(r9, vector.output);
  const Vec row = Reg(row_, vector.lanes);
  const Vec value = Reg(value_, vector.lanes);
  Load(row, TableAt(r10, vector, TableRow::kShortcutMul));
  for (int p = 0; p < pixels_; ++p) {
    Load(value, WideAt(p, vector));
    a_.vpminsd(value, value, CallConstant(call_, offsetof(KernelCall, shortcut_high)));
    a_.vpmaxsd(value, value, CallConstant(call_, offsetof(KernelCall, shortcut_low)));
    a_.vpmulld(value, value, row);
    a_.vpaddd(value, value, CallConstant(call_, offsetof(KernelCall, shortcut_half)));
    a_.vpsrad(value, value, pass_.shortcut_shift);
    const Vec sum = Reg(Sum(p, v), vector.lanes);
    a_.vpaddd(sum, sum, value);
  }
}

}  // namespace braid::kernels::generated::x86
