// asmjit's AArch64 assembler with operands of any size: offsets and constants that no instruction
// holds go through a scratch register. Layer: kernels.
#pragma once

#include <asmjit/arm/a64assembler.h>

#include <cstdint>

namespace braid::kernels::generated::aarch64 {

using asmjit::a64::Gp;
using asmjit::a64::Vec;

// The vector register of this number, 0 to 31.
inline Vec V(int number) { return asmjit::a64::VecV(static_cast<uint32_t>(number)); }

class Assembler {
 public:
  explicit Assembler(asmjit::CodeHolder& code) : a_(&code) {}
  asmjit::a64::Assembler* operator->() { return &a_; }

  void Set(Gp to, int64_t value);
  // to = from + value
  void Add(Gp to, Gp from, int64_t value);

  // 64-bit integers at [base + offset].
  void Load(Gp to, Gp base, int64_t offset) { a_.ldr(to, At(base, offset, 8)); }
  void Store(Gp from, Gp base, int64_t offset) { a_.str(from, At(base, offset, 8)); }
  // All 16 bytes of a vector register, or its lowest `bytes` (1, 2 or 4), at [base + offset].
  void Load(Vec to, Gp base, int64_t offset) { a_.ldr(to.q(), At(base, offset, 16)); }
  void Store(Vec from, Gp base, int64_t offset) { a_.str(from.q(), At(base, offset, 16)); }
  void StoreLow(Vec from, int bytes, Gp base, int64_t offset);

 private:
  // An operand for an access of `size` bytes; may use kAddress.
  asmjit::a64::Mem At(Gp base, int64_t offset, int size);

  asmjit::a64::Assembler a_;
};

// Used by Assembler for addresses and constants; nothing lives in them.
inline constexpr Gp kAddress = asmjit::a64::x16;
inline constexpr Gp kConstant = asmjit::a64::x17;

}  // namespace braid::kernels::generated::aarch64
