#include "braid/cli/bench_cluster/cases.h"

namespace braid::cli {

const char* WayName(Way way) {
  switch (way) {
    case Way::kSingle:
      return "single";
    case Way::kReplicated:
      return "replicated";
    case Way::kStatic:
      return "static";
    case Way::kDynamic:
      return "dynamic";
    case Way::kFluidHa:
      return "fluid_ha";
    case Way::kFluidSum:
      return "fluid_sum";
    case Way::kFluidHt:
      return "fluid_ht";
  }
  return "?";
}

bool UsesLink(Way way) {
  switch (way) {
    case Way::kStatic:
    case Way::kFluidHa:
    case Way::kFluidSum:
      return true;
    case Way::kSingle:
    case Way::kReplicated:
    case Way::kDynamic:
    case Way::kFluidHt:
      return false;
  }
  return false;
}

std::vector<BenchCase> StandardCases(const std::vector<BenchNetwork>& networks) {
  std::vector<BenchCase> cases;
  for (const BenchNetwork& network : networks) {
    BenchCase base;
    base.network = network;
    const auto add = [&cases](BenchCase c) { cases.push_back(std::move(c)); };

    // The link: delay, then rate.
    for (const double delay_ms : {0.0, 0.1, 1.0, 5.0, 10.0}) {
      BenchCase c = base;
      c.delay_ms = delay_ms;
      add(c);
    }
    for (const double rate_mbit : {1000.0, 100.0, 10.0}) {
      BenchCase c = base;
      c.delay_ms = 0.1;
      c.rate_mbit = rate_mbit;
      add(c);
    }
    // Pipelining: one request at a time pays every delay in full.
    for (const double delay_ms : {0.0, 1.0}) {
      BenchCase c = base;
      c.delay_ms = delay_ms;
      c.in_flight = 1;
      add(c);
    }
    // Work per image: slower processors move the ratio of computing to talking.
    for (const double share : {0.1, 0.01}) {
      for (const double delay_ms : {0.1, 1.0}) {
        BenchCase c = base;
        c.cpu_share = c.cpu_share_b = share;
        c.delay_ms = delay_ms;
        add(c);
      }
    }
    // One image at a time, from one device: what a second device does for its latency.
    for (const char* kernels : {"", "scalar"}) {
      for (const double delay_ms : {0.0, 0.1, 1.0}) {
        BenchCase c = base;
        c.kernels = kernels;
        c.delay_ms = delay_ms;
        c.in_flight = 1;
        c.one_source = true;
        add(c);
      }
    }
    // The scalar kernels.
    {
      BenchCase c = base;
      c.kernels = "scalar";
      add(c);
    }
    // Unlike devices: the second has a quarter of the first one's speed.
    {
      BenchCase c = base;
      c.cpu_share = 0.1;
      c.cpu_share_b = 0.025;
      c.delay_ms = 0.1;
      add(c);
    }
  }
  return cases;
}

}  // namespace braid::cli
