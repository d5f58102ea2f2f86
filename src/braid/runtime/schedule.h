// Which layers a plan runs, in which order, and how long their results are needed. Layer: runtime.
#pragma once

#include <vector>

#include "braid/model/network.h"

namespace braid::runtime {

inline constexpr int kNever = -1;

// Steps count the layers of `order`. Vectors marked [layers] have an entry for every layer of the
// network.
struct Schedule {
  std::vector<model::LayerIndex> order;
  std::vector<int> last_map_read;   // [layers] last step that reads the map, kNever
  std::vector<int> last_wide_read;  // [layers] last step that adds it as a shortcut, kNever
  std::vector<bool> exchanged;      // [layers] peers' maps of this layer are needed
  std::vector<bool> is_exit;        // [layers] a head before the plan's own
};

// `remote`: some groups are computed by peers. `exits`: run the heads that lie before `head`.
Schedule MakeSchedule(const model::Network& network, model::LayerIndex head, bool remote,
                      bool exits);

}  // namespace braid::runtime
