// Runs one way of using two devices and counts images. Layer: cli.
#pragma once

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/cli/bench_cluster/cases.h"

namespace braid::cli {

struct Measured {
  double ips = 0;     // images per second, both devices' sources together
  double p50_us = 0;  // latency of a request, the worse of the two sources
  double p99_us = 0;
  int64_t resident_bytes = 0;  // of the larger device process
};

// Starts the device processes (each on a core of its own), a link emulator between them where the
// case asks for one, measures for `measure`, stops them. A failed request is an error.
Result<Measured> Measure(const BenchCase& bench_case, Way way, Duration measure);

}  // namespace braid::cli
