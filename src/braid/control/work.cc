#include "braid/control/work.h"

#include <cstddef>

#include "braid/model/cost.h"
#include "braid/model/layer_map.h"

namespace braid::control {
namespace {

TermWork MeasureTerm(const model::Network& network, GroupSet groups, model::LayerIndex head) {
  TermWork work;
  work.groups = groups;
  if (head == model::kNoLayer) return work;
  for (const int g : groups) {
    work.macs[static_cast<size_t>(g)] = static_cast<double>(
        model::LocalCost(network, groups, GroupSet::Single(g), head).macs);
  }
  if (groups.size() < 2) return work;
  // Once each, however many layers read it.
  const std::vector<bool> exchanged =
      model::ExchangedLayers(network, model::NeededLayers(network, head));
  for (size_t i = 0; i < exchanged.size(); ++i) {
    if (!exchanged[i]) continue;
    const model::Layer& layer = network.layers[i];
    ++work.exchanges;
    for (const int g : groups) {
      work.exchange_bytes[static_cast<size_t>(g)] +=
          static_cast<double>(model::MapShapeOf(layer, GroupSet::Single(g)).Elements());
    }
  }
  return work;
}

}  // namespace

PointWork MeasurePoint(const model::Network& network, int point) {
  const model::OperatingPoint& p = network.points[static_cast<size_t>(point)];
  PointWork work;
  double sum = 0;
  for (const int term : p.terms) {
    work.terms.push_back(
        MeasureTerm(network, network.sub_networks[static_cast<size_t>(term)].groups, p.head));
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
