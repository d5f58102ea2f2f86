#include "braid/kernels/generated/x86/avx2_emitter.h"

#include <cstddef>

#include "braid/kernels/requantization.h"

namespace braid::kernels::generated::x86 {

using namespace asmjit::x86;  // NOLINT: register names

void Avx2Emitter::EmitConstants() {
  a_.vpcmpeqw(ymm(kOnes), ymm(kOnes), ymm(kOnes));
  a_.vpsrlw(ymm(kOnes), ymm(kOnes), 15);
}

void Avx2Emitter::AddOffsets(const SourceShape& /*source*/) {}  // no map is kBiased on this path

// sign(a)*w is (w ^ m) - m with m = -1 where a < 0: two operations that run on any vector unit.
// Pairs of products stay below 2^15: u7 2*127*127, and s8 as |a| * (sign(a)*w) 2*128*127.
void Avx2Emitter::MultiplyAdd(const Vec& sum, const Mem& weights, bool is_signed, int lanes) {
  const Vec pairs = Reg(kPairs, lanes);
  if (is_signed) {
    a_.vpxor(pairs, Reg(kBroadcast, lanes), weights);
    a_.vpsubb(pairs, pairs, Reg(kBroadcast, lanes));
    a_.vpmaddubsw(pairs, Reg(kMagnitude, lanes), pairs);
  } else {
    a_.vpmaddubsw(pairs, Reg(kBroadcast, lanes), weights);
  }
  a_.vpmaddwd(pairs, pairs, Reg(kOnes, lanes));
  a_.vpaddd(sum, sum, pairs);
}

void Avx2Emitter::SplitSigned() {
  a_.vpabsb(ymm(kMagnitude), ymm(kPairs));
  a_.vpxor(xmm(kBroadcast), xmm(kBroadcast), xmm(kBroadcast));
  a_.vpcmpgtb(ymm(kBroadcast), ymm(kBroadcast), ymm(kPairs));
}

void Avx2Emitter::Step(const SourceShape& source, int64_t map_offset, int step) {
  const int chain = NextChain();
  const bool is_signed = source.encoding == Encoding::kS8;
  for (int p = 0; p < pixels_; ++p) {
    if (!Live(p)) continue;
    a_.vpbroadcastd(ymm(is_signed ? kPairs : kBroadcast),
                    dword_ptr(map_, static_cast<int32_t>(map_offset + p * source.column_stride)));
    if (is_signed) SplitSigned();
    for (int v = 0; v < static_cast<int>(vectors_.size()); ++v) {
      const Vector& vector = vectors_[static_cast<size_t>(v)];
      MultiplyAdd(Reg(Sum(p, v, chain), vector.lanes), WeightsAt(source, vector, step), is_signed,
                  vector.lanes);
    }
  }
}

// Eight bytes of each row are interleaved twice, so that every channel has its four rows.
void Avx2Emitter::Column(const SourceShape& source, int64_t map_offset, int rows,
                         const std::vector<Tap>& taps) {
  const int chain = NextChain();
  const bool is_signed = source.encoding == Encoding::kS8;
  const Xmm low = xmm(kPairs), high = xmm(kBroadcast), last = xmm(kMagnitude);
  const Ymm input = ymm(is_signed ? kPairs : kBroadcast);
  for (int v = 0; v < static_cast<int>(vectors_.size()); ++v) {
    const Vector& vector = vectors_[static_cast<size_t>(v)];
    const auto row = [&](int ky) {
      return qword_ptr(map_, static_cast<int32_t>(map_offset + ky * source.tap_stride_h +
                                                  vector.first_channel));
    };
    if (rows == 1) {
      a_.vpmovzxbd(input, row(0));
    } else {
      a_.vmovq(low, row(0));
      a_.vmovq(last, row(1));
      a_.vpunpcklbw(low, low, last);
    }
    if (rows == 2) a_.vpmovzxwd(input, low);
    if (rows == 3) a_.vpmovzxbw(high, row(2));
    if (rows == 4) {
      a_.vmovq(high, row(2));
      a_.vmovq(last, row(3));
      a_.vpunpcklbw(high, high, last);
    }
    if (rows > 2) {
      a_.vpunpckhwd(last, low, high);
      a_.vpunpcklwd(low, low, high);
      a_.vinserti128(input, ymm(kPairs), last, 1);
    }
    if (is_signed) SplitSigned();
    for (const Tap& tap : taps) {
      MultiplyAdd(Reg(Sum(tap.pixel, v, chain), vector.lanes),
                  WeightsAt(source, vector, tap.step), is_signed, vector.lanes);
    }
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
