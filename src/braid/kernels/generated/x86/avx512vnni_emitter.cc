#include "braid/kernels/generated/x86/avx512vnni_emitter.h"

#include <algorithm>
#include <cstddef>

#include "braid/kernels/requantization.h"

namespace braid::kernels::generated::x86 {

using namespace asmjit::x86;  // NOLINT: register names

// Masks for outputs whose last register is not full, one a width that occurs.
void Avx512VnniEmitter::EmitConstants() {
  if (pass_.sources[0].depthwise) {
    a_.vmovdqu32(zmm(kDwordOrder), CallConstant(call_, offsetof(KernelCall, transpose)));
    a_.vpmovdb(xmm(kByteOrder), zmm(kDwordOrder));  // the same order of bytes
    a_.vshufi32x4(zmm(kByteOrder), zmm(kByteOrder), zmm(kByteOrder), 0);
  }
  if (pass_.finish == Finish::kWide) return;
  std::vector<int> seen;
  for (const Vector& v : vectors_) {
    if (v.valid == v.lanes || std::find(seen.begin(), seen.end(), v.valid) != seen.end()) continue;
    seen.push_back(v.valid);
    a_.mov(eax, (1u << v.valid) - 1);
    a_.kmovw(MaskFor(v.valid), eax);
  }
}

// Outputs of a pass are at most seven, and each has one incomplete register at most.
KReg Avx512VnniEmitter::MaskFor(int valid) const {
  std::vector<int> seen;
  for (const Vector& v : vectors_) {
    if (v.valid == v.lanes || std::find(seen.begin(), seen.end(), v.valid) != seen.end()) continue;
    seen.push_back(v.valid);
    if (v.valid == valid) break;
  }
  return KReg(static_cast<uint32_t>(seen.size()));
}

void Avx512VnniEmitter::AddOffsets(const SourceShape& source) {
  for (size_t v = 0; v < vectors_.size(); ++v) {
    const int lanes = vectors_[v].lanes;
    a_.vmovdqu32(Reg(kBroadcast, lanes), OffsetsAt(source, vectors_[v]));
    for (int p = 0; p < pixels_; ++p) {
      const Vec sum = Reg(Sum(p, static_cast<int>(v)), lanes);
      a_.vpaddd(sum, sum, Reg(kBroadcast, lanes));
    }
  }
}

// Weights stay in registers while pixels pass by, as many as there are registers; the others are
// read again for each pixel.
void Avx512VnniEmitter::Step(const SourceShape& source, int64_t map_offset, int step) {
  const int chain = NextChain();
  const int vectors = static_cast<int>(vectors_.size());
  const int first_free = SumsOfBlock();
  const int held = pixels_ == 1 ? 0 : std::min(vectors, kBroadcast - first_free);
  int widest = 4;
  for (int v = 0; v < vectors; ++v) {
    const Vector& vector = vectors_[static_cast<size_t>(v)];
    widest = std::max(widest, vector.lanes);
    if (v < held) {
      a_.vmovdqu32(Reg(first_free + v, vector.lanes), WeightsAt(source, vector, step));
    }
  }
  for (int p = 0; p < pixels_; ++p) {
    if (!Live(p)) continue;
    a_.vpbroadcastd(Reg(kBroadcast, widest),
                    dword_ptr(map_, static_cast<int32_t>(
                                        map_offset + p * source.column_stride)));
    for (int v = 0; v < vectors; ++v) {
      const Vector& vector = vectors_[static_cast<size_t>(v)];
      const Vec sum = Reg(Sum(p, v, chain), vector.lanes);
      const Vec input = Reg(kBroadcast, vector.lanes);
      if (v < held) {
        a_.evex().vpdpbusd(sum, input, Reg(first_free + v, vector.lanes));
      } else {
        a_.evex().vpdpbusd(sum, input, WeightsAt(source, vector, step));
      }
    }
  }
}

// 16 bytes of each row go to a quarter of a register; a transposition of 4x4 dwords, then of 4x4 bytes
// in each quarter, gives every channel its four rows. Quarters of rows that do not exist are 0.
void Avx512VnniEmitter::Column(const SourceShape& source, int64_t map_offset, int rows,
                               const std::vector<Tap>& taps) {
  const int chain = NextChain();
  for (int v = 0; v < static_cast<int>(vectors_.size()); ++v) {
    const Vector& vector = vectors_[static_cast<size_t>(v)];
    const auto row = [&](int ky) {
      return ptr(map_, static_cast<int32_t>(map_offset + ky * source.tap_stride_h +
                                            vector.first_channel));
    };
    a_.vmovdqu32(xmm(kBroadcast), row(0));
    for (int ky = 1; ky < rows; ++ky) {
      a_.vinserti32x4(zmm(kBroadcast), zmm(kBroadcast), row(ky), ky);
    }
    a_.vpermd(zmm(kBroadcast), zmm(kDwordOrder), zmm(kBroadcast));
    a_.vpshufb(zmm(kBroadcast), zmm(kBroadcast), zmm(kByteOrder));
    for (const Tap& tap : taps) {
      a_.evex().vpdpbusd(Reg(Sum(tap.pixel, v, chain), vector.lanes),
                         Reg(kBroadcast, vector.lanes), WeightsAt(source, vector, tap.step));
    }
  }
}

// Several pixels of a narrow vector share one register from here on: the epilogue costs the same
// for 4 channels as for 16.
std::vector<Avx512VnniEmitter::Unit> Avx512VnniEmitter::Merge(int v) {
  const int lanes = vectors_[static_cast<size_t>(v)].lanes;
  const int together = 16 / lanes;
  std::vector<Unit> units;
  for (int p = 0; p < pixels_; p += together) {
    const int count = std::min(together, pixels_ - p);
    const int number = Sum(p, v);
    for (int i = 1; i < count; ++i) {
      const int other = Sum(p + i, v);
      if (lanes == 8) {
        a_.vinserti64x4(Reg(number, 16), Reg(number, 16), Reg(other, 8), i);
      } else {
        a_.vinserti32x4(Reg(number, 16), Reg(number, 16), Reg(other, 4), i);
      }
    }
    units.push_back({number, count == 1 ? lanes : 16, p, count});
  }
  return units;
}

void Avx512VnniEmitter::Requantize(int v) {
  const Vector& vector = vectors_[static_cast<size_t>(v)];
  const std::vector<Unit> units = Merge(v);
  // The row is repeated as often as a merged register holds pixels.
  const auto load_row = [&](TableRow row) {
    const Mem at = TableAt(r10, vector, row);
    if (vector.lanes == 16) {
      a_.vmovdqu32(Reg(kTable, 16), at);
    } else if (vector.lanes == 8) {
      a_.vbroadcasti64x4(Reg(kTable, 16), at);
    } else {
      a_.vbroadcasti32x4(Reg(kTable, 16), at);
    }
  };
  load_row(TableRow::kLow);
  for (const Unit& u : units) {
    a_.vpmaxsd(Reg(u.number, u.lanes), Reg(u.number, u.lanes), Reg(kTable, u.lanes));
  }
  load_row(TableRow::kHigh);
  for (const Unit& u : units) {
    a_.vpminsd(Reg(u.number, u.lanes), Reg(u.number, u.lanes), Reg(kTable, u.lanes));
  }
  load_row(TableRow::kMul);
  for (const Unit& u : units) {
    a_.vpmulld(Reg(u.number, u.lanes), Reg(u.number, u.lanes), Reg(kTable, u.lanes));
  }
  a_.vmovdqu32(Reg(kTable, 16), CallConstant(call_, offsetof(KernelCall, output_half)));
  for (const Unit& u : units) {
    const Vec sum = Reg(u.number, u.lanes);
    a_.vpaddd(sum, sum, Reg(kTable, u.lanes));
    a_.vpsrld(sum, sum, kRequantizationShift);
  }
  // Four registers whose 16 bytes follow each other are stored as one.
  const OutputShape& output = pass_.outputs[static_cast<size_t>(vector.output)];
  const bool dense = vector.valid == vector.lanes && output.column_stride == vector.lanes;
  const auto full = [&](const Unit& u) { return u.pixels * vector.lanes == 16; };
  size_t i = 0;
  if (dense && units.size() >= 4) {
    a_.vmovdqu32(zmm(kBroadcast), CallConstant(call_, offsetof(KernelCall, transpose)));
    for (; i + 4 <= units.size() && full(units[i + 3]); i += 4) StoreFour(vector, &units[i]);
  }
  for (; i < units.size(); ++i) StoreUnit(vector, units[i]);
}

// The lanes hold 0..255, so that packing does not saturate.
void Avx512VnniEmitter::StoreFour(const Vector& v, const Unit* units) {
  const OutputShape& output = pass_.outputs[static_cast<size_t>(v.output)];
  Vec part[4];
  for (int i = 0; i < 4; ++i) part[i] = Reg(units[i].number, 16);
  a_.vpackusdw(part[0], part[0], part[1]);
  a_.vpackusdw(part[2], part[2], part[3]);
  a_.vpackuswb(part[0], part[0], part[2]);
  a_.vpermd(part[0], zmm(kBroadcast), part[0]);
  a_.vmovdqu32(ptr(r11, static_cast<int32_t>(units[0].first_pixel * output.column_stride +
                                             v.first_channel)),
               part[0]);
}

// The low byte of each lane is the result; r11 is the block's first output pixel.
void Avx512VnniEmitter::StoreUnit(const Vector& v, const Unit& unit) {
  const OutputShape& output = pass_.outputs[static_cast<size_t>(v.output)];
  const auto at = [&](int pixel) {
    return ptr(r11, static_cast<int32_t>((unit.first_pixel + pixel) * output.column_stride +
                                         v.first_channel));
  };
  const bool whole = v.valid == v.lanes;
  const Vec sum = Reg(unit.number, unit.lanes);
  if (unit.pixels == 1) {
    if (whole) {
      a_.vpmovdb(at(0), sum);
    } else {
      a_.k(MaskFor(v.valid)).vpmovdb(at(0), sum);
    }
    return;
  }
  if (whole && output.column_stride == v.lanes && unit.pixels * v.lanes == 16) {
    a_.vpmovdb(at(0), sum);
    return;
  }
  const Xmm bytes = xmm(static_cast<uint32_t>(unit.number));
  a_.vpmovdb(bytes, sum);
  for (int p = 0; p < unit.pixels; ++p) {
    if (!whole) {
      const Xmm pixel = xmm(kBroadcast);
      if (p == 0) {
        a_.k(MaskFor(v.valid)).vmovdqu8(at(p), bytes);
      } else {
        a_.vpsrldq(pixel, bytes, p * v.lanes);
        a_.k(MaskFor(v.valid)).vmovdqu8(at(p), pixel);
      }
    } else if (v.lanes == 8) {
      if (p == 0) {
        a_.vmovq(at(p), bytes);
      } else {
        a_.vpextrq(at(p), bytes, p);
      }
    } else {
      if (p == 0) {
        a_.vmovd(at(p), bytes);
      } else {
        a_.vpextrd(at(p), bytes, p);
      }
    }
  }
}

}  // namespace braid::kernels::generated::x86
