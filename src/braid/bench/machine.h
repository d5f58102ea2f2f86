// The machine that a benchmark runs on: its name, and what its arithmetic units can do at most.
// Layer: bench.
#pragma once

#include <string>

#include "braid/base/clock.h"
#include "braid/base/status.h"

namespace braid::bench {

// "AMD EPYC ..." as /proc/cpuinfo names it; "unknown" where it does not.
std::string ProcessorModel();

// Holds the calling thread to the processor on which it runs. FAILED_PRECONDITION where the
// operating system refuses.
Status StayOnThisCore();

// Multiplications and additions (two for each product) a nanosecond on one core, from independent
// chains in registers; 0 where the processor lacks the instruction. The best of many short runs.
struct Peaks {
  double vpdpbusd_gops = 0;     // AVX-512 VNNI: 64 products each
  double vpmaddubsw_gops = 0;   // AVX2: vpmaddubsw, vpmaddwd with ones, vpaddd: 32 products
  double fma_f32_gflops = 0;    // AVX-512 or AVX2 fused multiply-add
  void Raise(const Peaks& other);  // to the greater of each
};
// Takes about `time` for each.
Peaks MeasurePeaks(const Clock& clock, Duration time);

struct PeakLoop;
// The same for one loop.
double MeasureLoop(const PeakLoop& loop, const Clock& clock, Duration time);

}  // namespace braid::bench
