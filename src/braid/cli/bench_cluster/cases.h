// What `braid bench cluster` measures: one case is a network, a pair of machines and a link; in
// each the ways of using two devices are run in turn. Layer: cli.
#pragma once

#include <string>
#include <vector>

#include "braid/base/status.h"

namespace braid::cli {

// The three families of one network, as files.
struct BenchNetwork {
  std::string name;         // of the backbone and data set, for reports
  std::string fluid;        // path of the fluid2 model
  std::string static_path;  // path of the static model
  std::string dynamic;      // path of the dynamic model
};

struct BenchCase {
  BenchNetwork network;
  double delay_ms = 0;     // one way, between the devices; 0: a direct connection
  double rate_mbit = 0;    // each way; 0: unlimited
  double cpu_share = 1;    // speed of both processors' computing
  double cpu_share_b = 1;  // of the second device where it differs from the first
  std::string kernels;     // path name; empty: the best
  int in_flight = 16;      // requests that each source keeps open
  int images = 1;          // per request
  bool one_source = false; // only the first device has images: the other one helps
};

// The ways of using two devices.
enum class Way {
  kSingle,      // one device, the full network
  kReplicated,  // the full network on each device
  kStatic,      // the static network split over both
  kDynamic,     // the lower half on the first device; the upper half cannot work alone
  kFluidHa,     // the fluid network, both devices combined
  kFluidSum,    // the fluid network, logits of both halves added
  kFluidHt,     // the fluid network, each device's half alone on its own images
};
inline constexpr Way kAllWays[] = {Way::kSingle,  Way::kReplicated, Way::kStatic, Way::kDynamic,
                                   Way::kFluidHa, Way::kFluidSum,   Way::kFluidHt};
const char* WayName(Way way);  // as in the report's keys: "single", "fluid_ha", ...
// Whether the way uses the link between the devices.
bool UsesLink(Way way);

// The committed sweep over every network in `networks`.
std::vector<BenchCase> StandardCases(const std::vector<BenchNetwork>& networks);

}  // namespace braid::cli
