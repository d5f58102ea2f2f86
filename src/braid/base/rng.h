// A small deterministic random generator: the same stream on every machine for one seed, which
// std:: distributions do not promise. Layer: base. Method: SplitMix64 seeding, xoshiro256**
// (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021).
#pragma once

#include <array>
#include <cstdint>

namespace braid {

class Rng {
 public:
  explicit Rng(uint64_t seed);

  // Uniform over all 64-bit values.
  uint64_t Next();
  // Uniform in [0, bound); bound > 0. Unbiased (rejection).
  uint64_t Below(uint64_t bound);
  // Uniform in [low, high], both included.
  int64_t Between(int64_t low, int64_t high);
  // Uniform in [0, 1).
  double Uniform();
  // Standard normal (Box-Muller).
  double Normal();

 private:
  std::array<uint64_t, 4> state_;
};

}  // namespace braid
