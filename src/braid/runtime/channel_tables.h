// A layer's integers in one sub-network, in the forms that kernels read. Layer: runtime.
#pragma once

#include <cstdint>
#include <vector>

#include "braid/kernels/requantization.h"
#include "braid/model/network.h"

namespace braid::runtime {

// Neighbours among the output channels of one group.
struct ChannelRun {
  int first = 0, channels = 0;
};

// In the form of generated kernels: kernels::TableElements(run.channels).
std::vector<int32_t> KernelTableOf(const model::Layer& layer, const model::LayerTables& tables,
                                   int group, ChannelRun run);

// In the form of KernelSet::requantize, for a whole group: bounds and shortcut, nothing else. Its
// arrays are added to `keep`.
kernels::Epilogue EpilogueOf(const model::Layer& layer, const model::LayerTables& tables, int group,
                             std::vector<std::vector<int32_t>>& keep);

}  // namespace braid::runtime
