// One library's way of computing a kernel case, made ready once and then run again and again.
// Layer: bench. Libraries appear in the source of their own contender only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/bench/kernel_case.h"
#include "braid/kernels/path.h"

namespace braid::bench {

class Contender {
 public:
  virtual ~Contender() = default;
  // Computes the case once, on the calling thread. Weights were packed before.
  virtual void Run() = 0;
  // What the last Run left, as integers comparable with Problem::expected: clamped to 127, rounded
  // where the library computes in float.
  virtual std::vector<uint8_t> Output() const = 0;
  // Steps by which Output may differ from expected. 0: bit for bit. Libraries that requantize with
  // a float multiplier round some halves differently: 1.
  virtual int tolerance() const = 0;
  // What making its code took when it was made for the first time in this process; 0: unknown.
  virtual Duration code_time() const { return {}; }
};

// A library that can make contenders. `name` is the key of its figures: "braid", "fbgemm",
// "onednn", "onednn_f32". An absent one says why.
struct Library {
  std::string name;
  std::string version;        // empty: absent
  std::string why_absent;
  // The problem must outlive the contender. An error where the library cannot do the case.
  Result<std::unique_ptr<Contender>> (*make)(const Problem& problem, kernels::Path path) = nullptr;
  bool present() const { return make != nullptr; }
};

Library BraidLibrary();
// With `avx2_only`, the library is held to AVX2 by its own switch, for this process.
Library FbgemmLibrary(bool avx2_only);
Library OnednnLibrary(bool avx2_only);
Library OnednnFloatLibrary(bool avx2_only);

// Where `outputs` of [M,N] differ from the problem's by more than the contender's tolerance.
Status CheckOutput(const Problem& problem, const Contender& contender);

}  // namespace braid::bench
