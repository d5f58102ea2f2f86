// A network's skeleton for tests of placement: layers, sub-networks and points without weights
// (so it would not pass model::Validate). Layer: control, tests only.
#pragma once

#include <string>

#include "braid/model/network.h"

namespace braid::control {

// Input 8x8x1, two 3x3 convolutions of 4 channels a group, a head of 10. Every non-empty set of
// the groups is a sub-network with its combined point ("g0+1", accuracy 0.90 + 0.01 a group); every
// set of two or more also has the point that adds its single groups' logits ("g0,1", 0.003 below).
// Four groups also have "g0+1,2+3" (0.002 below combined).
inline model::Network MakeTestNetwork(int groups) {
  model::Network network;
  network.groups = groups;
  network.input_h = network.input_w = 8;
  network.input_c = 1;

  model::Layer input;
  input.op = model::Op::kInput;
  input.out_h = input.out_w = 8;
  input.group_channels = {1};
  model::Layer conv;
  conv.op = model::Op::kConv;
  conv.input = 0;
  conv.window = {.kernel_h = 3, .kernel_w = 3};
  conv.out_h = conv.out_w = 8;
  conv.group_channels.assign(static_cast<size_t>(groups), 4);
  model::Layer second = conv;
  second.input = 1;
  model::Layer head;
  head.op = model::Op::kLinear;
  head.input = 2;
  head.out_h = head.out_w = 1;
  head.activation = model::Activation::kLogits;
  head.group_channels = {10};
  network.layers = {input, conv, second, head};

  const auto sub_network = [](GroupSet set) { return static_cast<int>(set.mask()) - 1; };
  for (uint32_t mask = 1; mask < (uint32_t{1} << groups); ++mask) {
    network.sub_networks.push_back({GroupSet(mask), {}});
  }
  for (uint32_t mask = 1; mask < (uint32_t{1} << groups); ++mask) {
    const GroupSet set(mask);
    const int n = set.size();
    model::OperatingPoint point;
    point.head = 3;
    point.name = "g";
    for (const int g : set) point.name += (point.name == "g" ? "" : "+") + std::to_string(g);
    point.terms = {sub_network(set)};
    point.accuracy = 0.90 + 0.01 * n;
    point.macs_mean = point.macs_worst = 8 * 8 * (9 * 4 * n + 9 * 4 * n * 4 * n + 10 * 4 * n);
    network.points.push_back(point);
    if (n < 2) continue;
    point.name = "g";
    point.terms.clear();
    for (const int g : set) {
      point.name += (point.name == "g" ? "" : ",") + std::to_string(g);
      point.terms.push_back(sub_network(GroupSet::Single(g)));
    }
    point.accuracy -= 0.003;
    point.macs_mean = point.macs_worst = 8 * 8 * n * (9 * 4 + 9 * 4 * 4 + 10 * 4);
    network.points.push_back(point);
  }
  if (groups == 4) {
    model::OperatingPoint point = network.points[1];
    point.name = "g0+1,2+3";
    point.terms = {sub_network(GroupSet(0b0011)), sub_network(GroupSet(0b1100))};
    point.accuracy = 0.938;
    point.macs_mean = point.macs_worst = 2 * 8 * 8 * (9 * 8 + 9 * 8 * 8 + 10 * 8);
    network.points.push_back(point);
  }
  return network;
}

// The index of the point called `name`; -1 where there is none.
inline int PointNamed(const model::Network& network, const std::string& name) {
  for (size_t p = 0; p < network.points.size(); ++p) {
    if (network.points[p].name == name) return static_cast<int>(p);
  }
  return -1;
}

}  // namespace braid::control
