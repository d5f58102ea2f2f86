// What a sub-network, an operating point or a device's share costs, from the layers alone: used by
// export, inspection and placement. Layer: model. For networks that passed Validate.
#pragma once

#include <cstdint>
#include <vector>

#include "braid/model/network.h"
#include "braid/tensor/group_set.h"

namespace braid::model {

struct Cost {
  int64_t macs = 0;          // multiply-adds of convolutions and linear layers, for one input
  int64_t weight_bytes = 0;  // weights that are read, one byte each
  bool operator==(const Cost&) const = default;
  Cost operator+(const Cost& other) const {
    return {macs + other.macs, weight_bytes + other.weight_bytes};
  }
};

// Weights that a layer reads where `local` groups are computed as part of the sub-network of
// `groups`: 0 for layers without. Times the layer's positions, its multiply-adds.
int64_t LayerWeights(const Network& network, const Layer& layer, GroupSet groups, GroupSet local);

// One run of the sub-network of `groups` up to `head`; layers that the head does not need are free.
// Multiplications with padding count, as is the custom.
Cost SubNetworkCost(const Network& network, GroupSet groups, LayerIndex head);

// Of that run, the part of a device that computes the output channels of `local`, a subset of
// `groups`. The parts of disjoint `local` that make up `groups` add up to the whole.
Cost LocalCost(const Network& network, GroupSet groups, GroupSet local, LayerIndex head);

// The terms of `point`, added. Terms have disjoint groups, so no weight counts twice.
Cost PointCost(const Network& network, const OperatingPoint& point);

// Weights that a device with the rows of `share` carries, to take part in any sub-network: for
// every divided layer the rows of its groups against all groups (cross weights included), and the
// heads whole, because they are replicated.
int64_t ShareWeightBytes(const Network& network, GroupSet share);

// The layers whose maps devices of one sub-network exchange among `needed` ones (NeededLayers): the
// divided ones that a dense convolution reads. [layers]
std::vector<bool> ExchangedLayers(const Network& network, const std::vector<bool>& needed);

// Bytes of the maps that devices with `local` groups send to each peer in one run (per image):
// the map of every divided layer that a dense layer reads. 0 when local == groups.
int64_t ExchangeBytes(const Network& network, GroupSet groups, GroupSet local, LayerIndex head);

}  // namespace braid::model
