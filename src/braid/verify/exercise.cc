#include "braid/verify/exercise.h"

#include <cstdlib>

#include "braid/model/layer_map.h"
#include "braid/tensor/element_kind.h"

namespace braid::verify {
namespace {

using model::Layer;
using model::Network;
using model::Op;

constexpr int kBound = 127;

bool HasTables(const Layer& layer) { return layer.op != Op::kInput && layer.op != Op::kMaxPool; }

std::vector<int> GroupOfChannels(const Layer& layer) {
  std::vector<int> groups;
  for (size_t g = 0; g < layer.group_channels.size(); ++g) {
    groups.insert(groups.end(), static_cast<size_t>(layer.group_channels[g]), static_cast<int>(g));
  }
  return groups;
}

// One of a layer's input channels: the block that it lies in, and its number in the map.
struct Column {
  model::InputBlock block;
  size_t channel = 0;
};

std::vector<Column> ColumnsOf(const Network& network, const Layer& layer) {
  std::vector<Column> columns;
  for (const model::InputBlock& block : model::InputBlocksOf(network, layer)) {
    const Layer& map = network.layers[static_cast<size_t>(block.map)];
    const int first = block.divided ? map.GroupOffset(block.group) : 0;
    for (int i = 0; i < block.channels; ++i) {
      columns.push_back({block, static_cast<size_t>(first + i)});
    }
  }
  return columns;
}

// The first input channel that the filter of output channel `o`, in `group`, reads.
size_t FirstColumn(const Network& network, const Layer& layer, int group, size_t o) {
  if (layer.filter_channels == 0) return 0;
  const Layer& map = network.layers[static_cast<size_t>(layer.input)];
  const int outputs = model::FilterBlocksOf(network, layer, group).outputs;
  const int block = (static_cast<int>(o) - layer.GroupOffset(group)) / outputs;
  return static_cast<size_t>(map.GroupOffset(group) + block * layer.filter_channels);
}

}  // namespace

Exercise::Exercise(const Network& network) : network_(network) {
  for (size_t s = 0; s < network.sub_networks.size(); ++s) {
    Seen seen;
    for (const Layer& layer : network.layers) {
      const auto channels = static_cast<size_t>(layer.Channels());
      // Pixels are 0 only where mid-grey; logits have no bounds.
      const bool always = layer.op == Op::kInput || layer.op == Op::kLinear;
      seen.live.emplace_back(channels, always);
      seen.feeds.emplace_back(channels, always);
    }
    seen_.push_back(std::move(seen));
  }
}

// visit(layer, channel, live, feeds) for the channels of a map.
template <typename Visit>
void Exercise::ForEachChannel(const RecordedMap& map, Visit visit) const {
  const auto l = static_cast<size_t>(map.slot.layer);
  const Layer& layer = network_.layers[l];
  if (!layer.Divided()) return;
  const auto channels =
      static_cast<size_t>(layer.group_channels[static_cast<size_t>(map.slot.group)]);
  const auto first = static_cast<size_t>(layer.GroupOffset(map.slot.group));
  for (size_t c = 0; c < channels; ++c) {
    bool live = false, feeds = false;
    for (size_t i = c; i < map.bytes.size() && !live; i += channels) {
      const int magnitude = std::abs(static_cast<int8_t>(map.bytes[i]));
      feeds = feeds || magnitude > 0;
      live = magnitude > 0 && magnitude < kBound;
    }
    visit(l, first + c, live, feeds);
  }
}

int64_t Exercise::Add(int sub_network, std::span<const RecordedMap> maps) {
  Seen& seen = seen_[static_cast<size_t>(sub_network)];
  int64_t gain = 0;
  for (const RecordedMap& map : maps) {
    ForEachChannel(map, [&](size_t l, size_t c, bool live, bool feeds) {
      gain += live && !seen.live[l][c] ? 1 : 0;
      if (live) seen.live[l][c] = true;
      if (feeds) seen.feeds[l][c] = true;
    });
  }
  return gain;
}

int64_t Exercise::Gain(int sub_network, std::span<const RecordedMap> maps) const {
  const Seen& seen = seen_[static_cast<size_t>(sub_network)];
  int64_t gain = 0;
  for (const RecordedMap& map : maps) {
    ForEachChannel(map, [&](size_t l, size_t c, bool live, bool /*feeds*/) {
      gain += live && !seen.live[l][c] ? 1 : 0;
    });
  }
  return gain;
}

ExerciseCounts Exercise::Count() const {
  ExerciseCounts counts;
  for (size_t l = 0; l < network_.layers.size(); ++l) {
    const Layer& layer = network_.layers[l];
    const auto channels = static_cast<size_t>(layer.Channels());
    if (HasTables(layer)) {
      for (size_t s = 0; s < seen_.size(); ++s) {
        const GroupSet groups = network_.sub_networks[s].groups;
        counts.table_channels += model::ChannelsOf(layer, groups);
        for (size_t c = 0; c < channels; ++c) {
          counts.exercised_table_channels += seen_[s].live[l][c] ? 1 : 0;
        }
      }
    }
    if (layer.weights.empty()) continue;

    const std::vector<Column> columns = ColumnsOf(network_, layer);
    const std::vector<int> out_group = GroupOfChannels(layer);
    const auto inputs = static_cast<size_t>(model::WeightExtentsOf(network_, layer).inputs);
    const auto kernel = static_cast<int64_t>(layer.weights.size() / (channels * inputs));
    // Pairs of channels that no sub-network joins (grouped layers) hold no weight.
    std::vector<bool> joined(channels * inputs), exercised(channels * inputs);
    for (size_t s = 0; s < seen_.size(); ++s) {
      const GroupSet groups = network_.sub_networks[s].groups;
      for (size_t o = 0; o < channels; ++o) {
        if (layer.Divided() && !groups.Contains(out_group[o])) continue;
        const size_t first = FirstColumn(network_, layer, out_group[o], o);
        for (size_t i = 0; i < inputs; ++i) {
          const Column& column = columns[first + i];
          if (column.block.divided && !groups.Contains(column.block.group)) continue;
          if (layer.Divided() && !model::Reads(layer, out_group[o], column.block)) continue;
          joined[o * inputs + i] = true;
          if (seen_[s].live[l][o] &&
              seen_[s].feeds[static_cast<size_t>(column.block.map)][column.channel]) {
            exercised[o * inputs + i] = true;
          }
        }
      }
    }
    for (size_t pair = 0; pair < joined.size(); ++pair) {
      counts.weights += joined[pair] ? kernel : 0;
      counts.exercised_weights += exercised[pair] ? kernel : 0;
    }
  }
  return counts;
}

}  // namespace braid::verify
