#include "braid/bench/machine.h"

#include <sched.h>

#include <algorithm>
#include <fstream>

#include "braid/bench/peak_loops.h"

namespace braid::bench {
namespace {

// Long against the clock, short enough that some run meets no interruption.
constexpr int kLoops = 20'000;

}  // namespace

double MeasureLoop(const PeakLoop& loop, const Clock& clock, Duration time) {
  if (loop.run == nullptr) return 0;
  double best = 0;
  const TimePoint first = clock.Now();
  while (clock.Now() - first < time) {
    const TimePoint start = clock.Now();
    loop.run(kLoops);
    const auto elapsed = static_cast<double>((clock.Now() - start).count());
    best = std::max(best, loop.operations_a_turn * kLoops / elapsed);
  }
  return best;
}

std::string ProcessorModel() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

Status StayOnThisCore() {
  const int core = sched_getcpu();
  cpu_set_t set;
  CPU_ZERO(&set);
  if (core >= 0) CPU_SET(static_cast<size_t>(core), &set);
  if (core < 0 || sched_setaffinity(0, sizeof set, &set) != 0) {
    return FailedPrecondition("this thread cannot be held to one core");
  }
  return OkStatus();
}

void Peaks::Raise(const Peaks& other) {
  vpdpbusd_gops = std::max(vpdpbusd_gops, other.vpdpbusd_gops);
  vpmaddubsw_gops = std::max(vpmaddubsw_gops, other.vpmaddubsw_gops);
  fma_f32_gflops = std::max(fma_f32_gflops, other.fma_f32_gflops);
}

Peaks MeasurePeaks(const Clock& clock, Duration time) {
  return {.vpdpbusd_gops = MeasureLoop(VpdpbusdLoop(), clock, time),
          .vpmaddubsw_gops = MeasureLoop(VpmaddubswLoop(), clock, time),
          .fma_f32_gflops = MeasureLoop(FmaLoop(), clock, time)};
}

}  // namespace braid::bench
