// A random network with every way of running it that a group of devices knows, and its answers by
// the runtime alone. Layer: cluster/sim, tests.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "braid/model/file.h"
#include "braid/model/network.h"
#include "braid/runtime/execution.h"

namespace braid::cluster::sim {

// Four groups, all 15 subsets, for each of them the combined point, and points that add logits:
// every set of two or more single groups, and two pairs. Devices exchange maps at two layers or
// more. Accuracy rises with the groups, and with the preferred way of running several, so that it
// is chosen. Passes Validate; small enough for thousands of runs a second.
enum class Preferred { kCombined, kAdded };
model::Network BraidedNetwork(uint64_t seed, Preferred preferred = Preferred::kCombined);

// The same as a device reads it from a file.
model::ModelFile BraidedModel(uint64_t seed, Preferred preferred = Preferred::kCombined);

// Logits [images, classes] of an operating point, computed on one device by the runtime alone.
class Oracle {
 public:
  // `network` outlives this.
  explicit Oracle(const model::Network& network);
  std::vector<int32_t> Logits(int point, std::span<const uint8_t> pixels, int images);

 private:
  const model::Network& network_;
  std::unique_ptr<runtime::PreparedModel> model_;
  std::map<std::pair<int, model::LayerIndex>, std::unique_ptr<runtime::Plan>> plans_;
};

}  // namespace braid::cluster::sim
