#include "braid/bench/peak_loops.h"

namespace braid::bench {

#if defined(__x86_64__)
namespace {

// Latency of vpdpbusd and fma is 4-5 cycles at up to two a cycle: 10 chains would do.
#define BRAID_TWELVE(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

void Vpdpbusd(int turns) {
  asm volatile(
      "vpxorq %%zmm30, %%zmm30, %%zmm30\n\t"
      "vpxorq %%zmm31, %%zmm31, %%zmm31\n\t"
      "1:\n\t"
#define BRAID_STEP(i) "vpdpbusd %%zmm31, %%zmm30, %%zmm" #i "\n\t"
      BRAID_TWELVE(BRAID_STEP)
#undef BRAID_STEP
      "dec %0\n\t"
      "jnz 1b\n\t"
      "vzeroupper"
      : "+r"(turns)
      :
      : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
        "xmm10", "xmm11");
}

void Vpmaddubsw(int turns) {
  asm volatile(
      "vpxor %%ymm14, %%ymm14, %%ymm14\n\t"
      "vpxor %%ymm15, %%ymm15, %%ymm15\n\t"
      "1:\n\t"
#define BRAID_STEP(i)                           \
  "vpmaddubsw %%ymm15, %%ymm14, %%ymm12\n\t"    \
  "vpmaddwd %%ymm15, %%ymm12, %%ymm12\n\t"      \
  "vpaddd %%ymm12, %%ymm" #i ", %%ymm" #i "\n\t"
      BRAID_TWELVE(BRAID_STEP)
#undef BRAID_STEP
      "dec %0\n\t"
      "jnz 1b\n\t"
      "vzeroupper"
      : "+r"(turns)
      :
      : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
        "xmm10", "xmm11", "xmm12", "xmm14", "xmm15");
}

void FmaZmm(int turns) {
  asm volatile(
      "vpxorq %%zmm30, %%zmm30, %%zmm30\n\t"
      // Zeros: what lies in a register may be a denormal number, which some processors take long over.
#define BRAID_STEP(i) "vpxor %%xmm" #i ", %%xmm" #i ", %%xmm" #i "\n\t"
      BRAID_TWELVE(BRAID_STEP)
#undef BRAID_STEP
      "1:\n\t"
#define BRAID_STEP(i) "vfmadd231ps %%zmm30, %%zmm30, %%zmm" #i "\n\t"
      BRAID_TWELVE(BRAID_STEP)
#undef BRAID_STEP
      "dec %0\n\t"
      "jnz 1b\n\t"
      "vzeroupper"
      : "+r"(turns)
      :
      : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
        "xmm10", "xmm11");
}

void FmaYmm(int turns) {
  asm volatile(
      "vpxor %%ymm14, %%ymm14, %%ymm14\n\t"
#define BRAID_STEP(i) "vpxor %%xmm" #i ", %%xmm" #i ", %%xmm" #i "\n\t"
      BRAID_TWELVE(BRAID_STEP)
#undef BRAID_STEP
      "1:\n\t"
#define BRAID_STEP(i) "vfmadd231ps %%ymm14, %%ymm14, %%ymm" #i "\n\t"
      BRAID_TWELVE(BRAID_STEP)
#undef BRAID_STEP
      "dec %0\n\t"
      "jnz 1b\n\t"
      "vzeroupper"
      : "+r"(turns)
      :
      : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
        "xmm10", "xmm11", "xmm14");
}

// `pairs` steps into each of six 16-bit sums, which are then widened into six of 32 bits.
template <int kPairs>
void Acc16(int turns) {
  asm volatile(
      "vpxor %%ymm14, %%ymm14, %%ymm14\n\t"
      "vpxor %%ymm15, %%ymm15, %%ymm15\n\t"
      "1:\n\t"
      ".rept %c1\n\t"
#define BRAID_STEP(i)                          \
  "vpmaddubsw %%ymm15, %%ymm14, %%ymm12\n\t"   \
  "vpaddw %%ymm12, %%ymm" #i ", %%ymm" #i "\n\t"
      BRAID_STEP(0) BRAID_STEP(1) BRAID_STEP(2) BRAID_STEP(3) BRAID_STEP(4) BRAID_STEP(5)
#undef BRAID_STEP
      ".endr\n\t"
#define BRAID_WIDEN(narrow, wide)                        \
  "vpmaddwd %%ymm15, %%ymm" #narrow ", %%ymm12\n\t"      \
  "vpaddd %%ymm12, %%ymm" #wide ", %%ymm" #wide "\n\t"   \
  "vpxor %%xmm" #narrow ", %%xmm" #narrow ", %%xmm" #narrow "\n\t"
      BRAID_WIDEN(0, 6) BRAID_WIDEN(1, 7) BRAID_WIDEN(2, 8)
      BRAID_WIDEN(3, 9) BRAID_WIDEN(4, 10) BRAID_WIDEN(5, 11)
#undef BRAID_WIDEN
      "dec %0\n\t"
      "jnz 1b\n\t"
      "vzeroupper"
      : "+r"(turns)
      : "i"(kPairs)
      : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
        "xmm10", "xmm11", "xmm12", "xmm14", "xmm15");
}

constexpr int kChains = 12;

}  // namespace

PeakLoop VpdpbusdLoop() {
  if (__builtin_cpu_supports("avx512vnni") == 0) return {};
  return {Vpdpbusd, kChains * 64 * 2.0};
}
PeakLoop VpmaddubswLoop() {
  if (__builtin_cpu_supports("avx2") == 0) return {};
  return {Vpmaddubsw, kChains * 32 * 2.0};
}
PeakLoop Acc16Loop(int pairs) {
  if (__builtin_cpu_supports("avx2") == 0) return {};
  constexpr double kOperationsAPair = 6 * 32 * 2.0;  // six sums, 32 products a step
  if (pairs >= 32) return {Acc16<32>, 32 * kOperationsAPair};
  if (pairs >= 16) return {Acc16<16>, 16 * kOperationsAPair};
  if (pairs >= 8) return {Acc16<8>, 8 * kOperationsAPair};
  if (pairs >= 4) return {Acc16<4>, 4 * kOperationsAPair};
  if (pairs >= 2) return {Acc16<2>, 2 * kOperationsAPair};
  return {Acc16<1>, kOperationsAPair};
}
PeakLoop FmaLoop() {
  if (__builtin_cpu_supports("avx512f") != 0) return {FmaZmm, kChains * 16 * 2.0};
  if (__builtin_cpu_supports("fma") != 0) return {FmaYmm, kChains * 8 * 2.0};
  return {};
}

#else

PeakLoop VpdpbusdLoop() { return {}; }
PeakLoop VpmaddubswLoop() { return {}; }
PeakLoop Acc16Loop(int) { return {}; }
PeakLoop FmaLoop() { return {}; }

#endif

}  // namespace braid::bench
