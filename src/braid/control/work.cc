#include "braid/control/work.h"

#include <cstddef>

namespace braid::control {
namespace {

using model::Layer;
using model::Op;

// Which layers the head needs, itself among them.
std::vector<bool> NeededLayers(const model::Network& network, model::LayerIndex head) {
  std::vector<bool> needed(network.layers.size(), false);
  if (head == model::kNoLayer) return needed;
  needed[static_cast<size_t>(head)] = true;
  for (size_t i = needed.size(); i-- > 0;) {  // readers come after what they read
    if (!needed[i]) continue;
    const Layer& layer = network.layers[i];
    if (layer.input != model::kNoLayer) needed[static_cast<size_t>(layer.input)] = true;
    if (layer.shortcut != model::kNoLayer) needed[static_cast<size_t>(layer.shortcut)] = true;
  }
  return needed;
}

// Channels of `layer` that belong to `groups`; all of them where it is not divided.
int ChannelsOf(const Layer& layer, GroupSet groups) {
  if (!layer.Divided()) return layer.Channels();
  int sum = 0;
  for (const int g : groups) sum += layer.group_channels[static_cast<size_t>(g)];
  return sum;
}

TermWork MeasureTerm(const model::Network& network, GroupSet groups,
                     const std::vector<bool>& needed) {
  TermWork work;
  work.groups = groups;
  std::vector<bool> exchanged(network.layers.size(), false);
  for (size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    if (!needed[i] || layer.input == model::kNoLayer) continue;
    const Layer& input = network.layers[static_cast<size_t>(layer.input)];
    if (layer.op == Op::kConv) {
      const double window = static_cast<double>(layer.window.kernel_h) * layer.window.kernel_w *
                            layer.out_h * layer.out_w;
      for (const int g : groups) {
        const GroupSet read = layer.dense ? groups : GroupSet::Single(g);
        work.macs[static_cast<size_t>(g)] +=
            window * ChannelsOf(input, read) * layer.group_channels[static_cast<size_t>(g)];
      }
      if (layer.dense && input.Divided() && groups.size() > 1) {
        exchanged[static_cast<size_t>(layer.input)] = true;  // once, however many layers read it
      }
    } else if (layer.op == Op::kLinear) {
      // A head's partial sums are divided by the groups of its input.
      const double positions = static_cast<double>(input.out_h) * input.out_w * layer.Channels();
      for (const int g : groups) {
        const double channels = input.Divided()
                                    ? input.group_channels[static_cast<size_t>(g)]
                                    : static_cast<double>(input.Channels()) / groups.size();
        work.macs[static_cast<size_t>(g)] += positions * channels;
      }
    }
  }
  for (size_t i = 0; i < exchanged.size(); ++i) {
    if (!exchanged[i]) continue;
    const Layer& layer = network.layers[i];
    ++work.exchanges;
    for (const int g : groups) {
      work.exchange_bytes[static_cast<size_t>(g)] += static_cast<double>(layer.out_h) *
                                                     layer.out_w *
                                                     layer.group_channels[static_cast<size_t>(g)];
    }
  }
  return work;
}

}  // namespace

PointWork MeasurePoint(const model::Network& network, int point) {
  const model::OperatingPoint& p = network.points[static_cast<size_t>(point)];
  const std::vector<bool> needed = NeededLayers(network, p.head);
  PointWork work;
  double sum = 0;
  for (const int term : p.terms) {
    work.terms.push_back(
        MeasureTerm(network, network.sub_networks[static_cast<size_t>(term)].groups, needed));
    work.groups = work.groups | work.terms.back().groups;
    for (const double macs : work.terms.back().macs) sum += macs;
  }
  work.macs = p.macs_mean > 0 ? static_cast<double>(p.macs_mean) : sum;
  for (TermWork& term : work.terms) {
    for (const int g : term.groups) {
      double& macs = term.macs[static_cast<size_t>(g)];
      // Without layers to go by (sum 0), groups count alike.
      macs = sum > 0 ? macs * work.macs / sum : work.macs / work.groups.size();
    }
  }
  return work;
}

}  // namespace braid::control
