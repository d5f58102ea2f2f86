#include "braid/kernels/generated/x86/avx2_emitter.h"

#include <algorithm>
#include <cstddef>

#include "braid/kernels/convolution/convolution.h"
#include "braid/kernels/convolution/kernel_call.h"
#include "braid/kernels/requantization.h"

namespace braid::kernels::generated::x86 {

using namespace asmjit::x86;  // NOLINT: register names

namespace {

constexpr int kBroadcast = 15;  // four input bytes, repeated
constexpr int kPairs = 14;      // sums of pairs, s16
constexpr int kOnes = 13;       // s16 ones
constexpr int kMagnitude = 12;  // |input| of s8 sources

Vec Reg(int number, int lanes) {
  const auto n = static_cast<uint32_t>(number);
  if (lanes == 8) return ymm(n);
  return xmm(n);
}

Mem TableAt(Gp base, const Vector& v, TableRow row) {
  return ptr(base, static_cast<int32_t>(TableIndex(row, v.first_channel) * sizeof(int32_t)));
}

Mem CallConstant(Gp call, size_t offset) { return ptr(call, static_cast<int32_t>(offset)); }

}  // namespace

void Avx2Emitter::EmitConstants() {
  a_.vpcmpeqw(ymm(kOnes), ymm(kOnes), ymm(kOnes));
  a_.vpsrlw(ymm(kOnes), ymm(kOnes), 15);
}

void Avx2Emitter::StartSums() {
  step_count_ = 0;
  for (int v = 0; v < static_cast<int>(vectors_.size()); ++v) {
    const Vector& vector = vectors_[static_cast<size_t>(v)];
    const OutputShape& output = pass_.outputs[static_cast<size_t>(vector.output)];
    const bool wide = pass_.start == Start::kWide;
    const bool bias = !wide && pass_.finish == Finish::kBytes;
    if (wide) LoadWide(r9, vector.output);
    if (bias) LoadTable(r9, vector.output);
    for (int p = 0; p < pixels_; ++p) {
      const Vec sum = Reg(Sum(p, v), vector.lanes);
      if (wide) {
        a_.vmovdqu(sum, ptr(r9, static_cast<int32_t>(
                                    (p * output.wide_column_stride + vector.first_channel) * 4)));
      } else if (bias) {
        a_.vmovdqu(sum, TableAt(r9, vector, TableRow::kBias));
      } else {
        a_.vpxor(sum, sum, sum);
      }
      for (int chain = 1; chain < chains_; ++chain) {
        const Vec other = Reg(Sum(p, v, chain), vector.lanes);
        a_.vpxor(other, other, other);
      }
    }
  }
}

void Avx2Emitter::AddOffsets(const SourceShape& /*source*/) {}  // no map is kBiased on this path

// sign(a)*w is (w ^ m) - m with m = -1 where a < 0: two operations that run on any vector unit.
// Pairs of products stay below 2^15: u7 2*127*127, and s8 as |a| * (sign(a)*w) 2*128*127.
void Avx2Emitter::Step(const SourceShape& source, int64_t map_offset, int step) {
  const int chain = step_count_++ % chains_;
  const bool is_signed = source.encoding == Encoding::kS8;
  for (int p = 0; p < pixels_; ++p) {
    const Mem input =
        dword_ptr(map_, static_cast<int32_t>(map_offset + p * source.column_stride));
    if (is_signed) {
      a_.vpbroadcastd(ymm(kPairs), input);
      a_.vpabsb(ymm(kMagnitude), ymm(kPairs));
      a_.vpxor(xmm(kBroadcast), xmm(kBroadcast), xmm(kBroadcast));
      a_.vpcmpgtb(ymm(kBroadcast), ymm(kBroadcast), ymm(kPairs));  // -1 where input < 0
    } else {
      a_.vpbroadcastd(ymm(kBroadcast), input);
    }
    for (int v = 0; v < static_cast<int>(vectors_.size()); ++v) {
      const Vector& vector = vectors_[static_cast<size_t>(v)];
      const Vec sum = Reg(Sum(p, v, chain), vector.lanes);
      const Vec pairs = Reg(kPairs, vector.lanes);
      const Mem weights = WeightsAt(source, vector, step);
      if (is_signed) {
        a_.vpxor(pairs, Reg(kBroadcast, vector.lanes), weights);
        a_.vpsubb(pairs, pairs, Reg(kBroadcast, vector.lanes));
        a_.vpmaddubsw(pairs, Reg(kMagnitude, vector.lanes), pairs);
      } else {
        a_.vpmaddubsw(pairs, Reg(kBroadcast, vector.lanes), weights);
      }
      a_.vpmaddwd(pairs, pairs, Reg(kOnes, vector.lanes));
      a_.vpaddd(sum, sum, pairs);
    }
  }
}

void Avx2Emitter::FinishSums() {
  for (int v = 0; v < static_cast<int>(vectors_.size()); ++v) {
    const Vector& vector = vectors_[static_cast<size_t>(v)];
    for (int chain = 1; chain < chains_; ++chain) {
      for (int p = 0; p < pixels_; ++p) {
        const Vec sum = Reg(Sum(p, v), vector.lanes);
        a_.vpaddd(sum, sum, Reg(Sum(p, v, chain), vector.lanes));
      }
    }
    if (pass_.finish == Finish::kWide) {
      LoadWide(r9, vector.output);
      StoreWide(v);
      continue;
    }
    LoadTable(r10, vector.output);
    if (pass_.start == Start::kWide) {
      for (int p = 0; p < pixels_; ++p) {
        const Vec sum = Reg(Sum(p, v), vector.lanes);
        a_.vpaddd(sum, sum, TableAt(r10, vector, TableRow::kBias));
      }
    }
    if (pass_.shortcut) AddShortcuts(v);
    if (pass_.keep_wide) {
      LoadWide(r9, vector.output);
      StoreWide(v);
    }
    LoadOutput(r11, vector.output);
    Requantize(v);
  }
}

void Avx2Emitter::StoreWide(int v) {
  const Vector& vector = vectors_[static_cast<size_t>(v)];
  const OutputShape& output = pass_.outputs[static_cast<size_t>(vector.output)];
  for (int p = 0; p < pixels_; ++p) {
    a_.vmovdqu(ptr(r9, static_cast<int32_t>(
                           (p * output.wide_column_stride + vector.first_channel) * 4)),
               Reg(Sum(p, v), vector.lanes));
  }
}

// sum += (clamp(u) * mul + half) >> shift
void Avx2Emitter::AddShortcuts(int v) {
  const Vector& vector = vectors_[static_cast<size_t>(v)];
  const OutputShape& output = pass_.outputs[static_cast<size_t>(vector.output)];
  LoadShortcut(r9, vector.output);
  const Vec value = Reg(kBroadcast, vector.lanes);
  for (int p = 0; p < pixels_; ++p) {
    a_.vmovdqu(value, ptr(r9, static_cast<int32_t>(
                                  (p * output.wide_column_stride + vector.first_channel) * 4)));
    a_.vpminsd(value, value, CallConstant(call_, offsetof(KernelCall, shortcut_high)));
    a_.vpmaxsd(value, value, CallConstant(call_, offsetof(KernelCall, shortcut_low)));
    a_.vpmulld(value, value, TableAt(r10, vector, TableRow::kShortcutMul));
    a_.vpaddd(value, value, CallConstant(call_, offsetof(KernelCall, shortcut_half)));
    a_.vpsrad(value, value, pass_.shortcut_shift);
    const Vec sum = Reg(Sum(p, v), vector.lanes);
    a_.vpaddd(sum, sum, value);
  }
}

void Avx2Emitter::Requantize(int v) {
  const Vector& vector = vectors_[static_cast<size_t>(v)];
  const Vec row = Reg(kBroadcast, vector.lanes);
  const auto for_each_sum = [&](auto apply) {
    for (int p = 0; p < pixels_; ++p) apply(Reg(Sum(p, v), vector.lanes));
  };
  a_.vmovdqu(row, TableAt(r10, vector, TableRow::kLow));
  for_each_sum([&](const Vec& sum) { a_.vpmaxsd(sum, sum, row); });
  a_.vmovdqu(row, TableAt(r10, vector, TableRow::kHigh));
  for_each_sum([&](const Vec& sum) { a_.vpminsd(sum, sum, row); });
  a_.vmovdqu(row, TableAt(r10, vector, TableRow::kMul));
  for_each_sum([&](const Vec& sum) { a_.vpmulld(sum, sum, row); });
  a_.vmovdqu(row, CallConstant(call_, offsetof(KernelCall, output_half)));
  for (int p = 0; p < pixels_; ++p) {
    const Vec sum = Reg(Sum(p, v), vector.lanes);
    a_.vpaddd(sum, sum, row);
    a_.vpsrad(sum, sum, kRequantizationShift);
    StoreBytes(Sum(p, v), vector, p);
  }
}

// Lanes hold -127..127: narrowing does not saturate. r11 is the block's first output pixel.
void Avx2Emitter::StoreBytes(int number, const Vector& v, int pixel) {
  const OutputShape& output = pass_.outputs[static_cast<size_t>(v.output)];
  const auto n = static_cast<uint32_t>(number);
  const Xmm low = xmm(n);
  if (v.lanes == 8) {
    a_.vextracti128(xmm(kPairs), ymm(n), 1);
    a_.vpackssdw(low, low, xmm(kPairs));
  } else {
    a_.vpackssdw(low, low, low);
  }
  a_.vpacksswb(low, low, low);
  int done = 0;
  const auto at = [&] {
    return ptr(r11, static_cast<int32_t>(pixel * output.column_stride + v.first_channel + done));
  };
  if (v.valid == 8) {
    a_.vmovq(at(), low);
    return;
  }
  if (v.valid >= 4) {
    a_.vmovd(at(), low);
    done = 4;
  }
  if (v.valid - done >= 2) {
    a_.vpextrw(at(), low, done / 2);
    done += 2;
  }
  if (v.valid - done >= 1) a_.vpextrb(at(), low, done);
}

}  // namespace braid::kernels::generated::x86
