#include "braid/kernels/generated/aarch64/assembler.h"

namespace braid::kernels::generated::aarch64 {

using asmjit::a64::Mem;
using asmjit::a64::ptr;

namespace {

constexpr int64_t kImmediate = 1 << 12;  // what add and a scaled offset hold

}  // namespace

void Assembler::Set(Gp to, int64_t value) {
  const auto bits = static_cast<uint64_t>(value);
  a_.movz(to, bits & 0xffff);
  for (uint32_t shift = 16; shift < 64; shift += 16) {
    const uint64_t part = bits >> shift & 0xffff;
    if (part != 0) a_.movk(to, part, shift);
  }
}

void Assembler::Add(Gp to, Gp from, int64_t value) {
  const uint64_t size = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  if (size < kImmediate) {
    if (value < 0) {
      a_.sub(to, from, size);
    } else if (value > 0 || to.id() != from.id()) {
      a_.add(to, from, size);
    }
    return;
  }
  Set(kConstant, value);
  a_.add(to, from, kConstant);
}

Mem Assembler::At(Gp base, int64_t offset, int size) {
  const bool scaled = offset >= 0 && offset % size == 0 && offset / size < kImmediate;
  const bool unscaled = offset >= -256 && offset < 256;
  if (scaled || unscaled) return ptr(base, static_cast<int32_t>(offset));
  Add(kAddress, base, offset);
  return ptr(kAddress);
}

void Assembler::StoreLow(Vec from, int bytes, Gp base, int64_t offset) {
  switch (bytes) {
    case 1:
      return (void)a_.str(from.b(), At(base, offset, 1));
    case 2:
      return (void)a_.str(from.h(), At(base, offset, 2));
    case 4:
      return (void)a_.str(from.s(), At(base, offset, 4));
    default:
      // Three: two, and one from the middle of the register.
      a_.str(from.h(), At(base, offset, 2));
      Add(kAddress, base, offset + 2);
      a_.st1(from.b(2), ptr(kAddress));
  }
}

}  // namespace braid::kernels::generated::aarch64
