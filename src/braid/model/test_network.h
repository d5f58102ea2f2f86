// A small network with every operator, for tests of whatever reads networks. Layer: model, tests.
#pragma once

#include <initializer_list>
#include <utility>

#include "braid/base/rng.h"
#include "braid/model/cost.h"
#include "braid/model/network.h"

namespace braid::model {

// Layers of MakeTestNetwork, by index.
inline constexpr LayerIndex kTestInput = 0;    // 6x6x1
inline constexpr LayerIndex kTestFirst = 1;    // convolution 3x3, 6x6x{4,4}
inline constexpr LayerIndex kTestExit = 2;     // head on kTestFirst
inline constexpr LayerIndex kTestGrouped = 3;  // grouped convolution 3x3, shortcut from kTestFirst
inline constexpr LayerIndex kTestMax = 4;      // maximum 2x2, 3x3x{4,4}
inline constexpr LayerIndex kTestDense = 5;    // dense convolution 1x1, signed, 3x3x{4,8}
inline constexpr LayerIndex kTestSum = 6;      // sum 3x3, 1x1x{4,8}
inline constexpr LayerIndex kTestLast = 7;     // the last head

inline void AddTestLayers(Network& network, Rng& rng) {
  network.name = "test_s1";
  network.groups = 2;
  network.input_h = network.input_w = 6;
  network.input_c = 1;
  network.labels = {"cat", "dog", "café"};
  network.card = R"({"dataset": "none"})";

  const Window same3{
      .kernel_h = 3, .kernel_w = 3, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};
  const Window half{.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};
  const Window whole{.kernel_h = 3, .kernel_w = 3};
  const auto add = [&](const char* name, Op op, LayerIndex input, Window window,
                       Activation activation, int side, std::vector<int> channels, int weights) {
    Layer layer;
    layer.name = name;
    layer.op = op;
    layer.input = input;
    layer.window = window;
    layer.activation = activation;
    layer.out_h = layer.out_w = side;
    layer.group_channels = std::move(channels);
    for (int i = 0; i < weights; ++i) {
      layer.weights.push_back(static_cast<int8_t>(rng.Between(-127, 127)));
    }
    network.layers.push_back(std::move(layer));
  };
  add("input", Op::kInput, kNoLayer, {}, Activation::kSigned, 6, {1}, 0);
  add("first", Op::kConv, kTestInput, same3, Activation::kRelu, 6, {4, 4}, 8 * 9);
  add("exit", Op::kLinear, kTestFirst, {}, Activation::kLogits, 1, {3}, 3 * 36 * 8);
  add("grouped", Op::kConv, kTestFirst, same3, Activation::kRelu, 6, {4, 4}, 8 * 9 * 8);
  add("max", Op::kMaxPool, kTestGrouped, half, Activation::kRelu, 3, {4, 4}, 0);
  add("dense", Op::kConv, kTestMax, {}, Activation::kSigned, 3, {4, 8}, 12 * 8);
  add("sum", Op::kSumPool, kTestDense, whole, Activation::kSigned, 1, {4, 8}, 0);
  add("last", Op::kLinear, kTestSum, {}, Activation::kLogits, 1, {3}, 3 * 12);

  Layer& grouped = network.layers[kTestGrouped];
  grouped.dense = false;
  grouped.shortcut = kTestFirst;
  for (size_t i = 0; i < grouped.weights.size(); ++i) {
    const bool output_in_second = i / (9 * 8) >= 4;
    const bool input_in_second = i % 8 >= 4;
    if (output_in_second != input_in_second) grouped.weights[i] = 0;
  }
}

// Tables of {0}, {1} and {0,1}.
inline void AddTestSubNetworks(Network& network, Rng& rng) {
  for (const uint32_t mask : {1u, 2u, 3u}) {
    SubNetwork sub_network{.groups = GroupSet(mask), .tables = {}};
    for (const Layer& layer : network.layers) {
      LayerTables tables;
      if (layer.op != Op::kInput && layer.op != Op::kMaxPool) {
        const bool logits = layer.op == Op::kLinear;
        for (size_t g = 0; g < layer.group_channels.size(); ++g) {
          const bool present = !layer.Divided() || sub_network.groups.Contains(static_cast<int>(g));
          for (int c = 0; c < layer.group_channels[g]; ++c) {
            tables.bias.push_back(present ? static_cast<int32_t>(rng.Between(-5000, 5000)) : 0);
            // Small multipliers keep values spread over their kind; 0 and negative ones occur.
            tables.mul.push_back(
                present ? static_cast<int32_t>(rng.Between(logits ? 1 : -40000, 60000)) : 0);
            if (layer.shortcut != kNoLayer) {
              tables.shortcut_mul.push_back(present ? static_cast<int32_t>(rng.Between(-900, 900))
                                                    : 0);
            }
          }
        }
        if (logits) tables.clamp = 30000, tables.shift = 12;
        if (layer.shortcut != kNoLayer) tables.shortcut_clamp = 1 << 20, tables.shortcut_shift = 9;
      }
      sub_network.tables.push_back(std::move(tables));
    }
    network.sub_networks.push_back(std::move(sub_network));
  }
}

inline void AddTestPoints(Network& network) {
  const auto add_point = [&](const char* name, std::vector<int> terms, LayerIndex head) {
    OperatingPoint point{.name = name, .terms = std::move(terms), .head = head, .accuracy = 0.5};
    const Cost cost = PointCost(network, point);
    point.macs_mean = point.macs_worst = cost.macs;
    point.weight_bytes = cost.weight_bytes;
    network.points.push_back(std::move(point));
  };
  add_point("g0", {0}, kTestLast);
  add_point("g1", {1}, kTestLast);
  add_point("g0+1", {2}, kTestLast);
  add_point("g0,1", {0, 1}, kTestLast);
  add_point("g0+1/e0", {2}, kTestExit);
}

// Two groups, three sub-networks ({0}, {1}, {0,1}), five points. Values follow from `seed`.
inline Network MakeTestNetwork(uint64_t seed = 1) {
  Rng rng(seed);
  Network network;
  AddTestLayers(network, rng);
  AddTestSubNetworks(network, rng);
  AddTestPoints(network);
  return network;
}

// The same with the forms of format version 2: "grouped" reads the image beside kTestFirst, the
// maximum is a depthwise convolution, and the sum a dense one that reads kTestDense and kTestMax.
inline Network MakeFormsNetwork(uint64_t seed = 1) {
  Rng rng(seed);
  Network network;
  AddTestLayers(network, rng);
  network.name = "forms_s1";
  const auto refill = [&rng](Layer& layer, int weights) {
    layer.weights.clear();
    for (int i = 0; i < weights; ++i) {
      layer.weights.push_back(static_cast<int8_t>(rng.Between(-127, 127)));
    }
  };
  Layer& grouped = network.layers[kTestGrouped];
  grouped.more_inputs = {kTestInput};
  refill(grouped, 8 * 9 * 9);
  for (size_t i = 0; i < grouped.weights.size(); ++i) {
    const bool output_in_second = i / (9 * 9) >= 4;
    const bool input_in_second = i % 9 >= 4;
    if (i % 9 != 8 && output_in_second != input_in_second) grouped.weights[i] = 0;
  }
  Layer& depthwise = network.layers[kTestMax];
  depthwise.op = Op::kConv;
  depthwise.dense = false;
  depthwise.filter_channels = 1;
  refill(depthwise, 8 * 4);
  Layer& joined = network.layers[kTestSum];
  joined.op = Op::kConv;
  joined.more_inputs = {kTestMax};
  refill(joined, 12 * 9 * (12 + 8));
  AddTestSubNetworks(network, rng);
  AddTestPoints(network);
  return network;
}

}  // namespace braid::model
