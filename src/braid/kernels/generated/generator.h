// Where an instruction set's emitter plugs in. Layer: kernels. Includes asmjit: private to kernels.
#pragma once

#include <asmjit/core.h>

#include <vector>

#include "braid/kernels/convolution/shape.h"

namespace braid::kernels::generated {

// What Convolution asks of an instruction set. One instance a path, valid for ever (GeneratorFor).
class Generator {
 public:
  virtual ~Generator() = default;

  // The architecture that asmjit encodes for.
  virtual asmjit::Environment environment() const = 0;

  // Channels of an output whose sums share a register: the width of a packed panel, for an output
  // of `channels`. A divisor of 16.
  virtual int Lanes(int channels) const = 0;

  // Cuts `shape` into passes that fit the registers: each holds a range of channels, whole panels
  // of Lanes, of one or more outputs. Together they hold every channel once.
  struct OutputRange {
    int output = 0;         // of the whole shape
    int first_channel = 0;  // a multiple of Lanes
    int channels = 0;
  };
  using Pass = std::vector<OutputRange>;
  virtual std::vector<Pass> Passes(const ConvolutionShape& shape) const = 0;

  // Emits a KernelFunction for one pass: `shape` as it is left by Passes, outputs cut to ranges.
  // Reads packed tiles of tile.h and tables of TableIndex.
  virtual void Emit(const ConvolutionShape& shape, asmjit::CodeHolder& code) const = 0;
};

// nullptr where `path` has no generator: the scalar interpreter runs then.
const Generator* GeneratorFor(Path path);

}  // namespace braid::kernels::generated
