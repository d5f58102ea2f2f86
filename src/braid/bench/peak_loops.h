// Loops of nothing but one arithmetic instruction, enough independent chains to hide its latency.
// Layer: bench.
#pragma once

namespace braid::bench {

struct PeakLoop {
  void (*run)(int turns) = nullptr;  // nullptr: this processor lacks the instruction
  double operations_a_turn = 0;      // a product and its addition are two
};

PeakLoop VpdpbusdLoop();    // zmm
PeakLoop VpmaddubswLoop();  // ymm: vpmaddubsw, vpmaddwd, vpaddd, as exact 8-bit products need them
// 16-bit sums: vpmaddubsw and vpaddw for each pair of products, widened into s32 by vpmaddwd and
// vpaddd after `pairs` of them (at least 1; rounded down to 1, 2, 4, 8, 16 or 32).
PeakLoop Acc16Loop(int pairs);
PeakLoop FmaLoop();         // zmm where there is AVX-512, else ymm

}  // namespace braid::bench
