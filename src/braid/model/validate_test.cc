// Every field of a network, made wrong, is an error that names it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "braid/model/file.h"
#include "braid/model/integer_bounds.h"
#include "braid/model/limits.h"
#include "braid/model/test_network.h"

namespace braid::model {
namespace {

using ::testing::HasSubstr;

struct Mutation {
  const char* error;  // beginning of the expected message
  std::function<void(Network&)> apply;
};

void ExpectErrors(const std::vector<Mutation>& mutations) {
  for (const Mutation& mutation : mutations) {
    Network network = MakeTestNetwork();
    mutation.apply(network);
    const Status status = Validate(network);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << mutation.error;
    EXPECT_EQ(status.message().substr(0, std::string(mutation.error).size()), mutation.error);
  }
}

// The tables of one layer in the sub-network {0,1} or, for `s` 0, in {0}.
LayerTables& Tables(Network& network, LayerIndex layer, size_t s = 2) {
  return network.sub_networks[s].tables[static_cast<size_t>(layer)];
}

TEST(ValidateTest, AcceptsANetworkWithEveryOperator) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_EQ(Validate(MakeTestNetwork(seed)).ToString(), "OK");
  }
}

TEST(ValidateTest, NamesTheBadFieldOfTheNetwork) {
  ExpectErrors({
      {"name: expected", [](Network& n) { n.name = ""; }},
      {"name: expected", [](Network& n) { n.name = "a/b"; }},
      {"name: expected", [](Network& n) { n.name = "../b"; }},
      {"name: expected", [](Network& n) { n.name = std::string(129, 'a'); }},
      {"groups: 0, expected 1..16", [](Network& n) { n.groups = 0; }},
      {"groups: 17, expected 1..16", [](Network& n) { n.groups = 17; }},
      {"groups: -1", [](Network& n) { n.groups = -1; }},
      {"input_h: 0", [](Network& n) { n.input_h = 0; }},
      {"input_w: -6", [](Network& n) { n.input_w = -6; }},
      {"input_h: 16385", [](Network& n) { n.input_h = 16385; }},
      {"input_c: 65537", [](Network& n) { n.input_c = 65537; }},
      {"labels: 0 labels", [](Network& n) { n.labels.clear(); }},
      {"labels[1]: not UTF-8", [](Network& n) { n.labels[1] = "\xff"; }},
      {"labels[2]: 129 bytes", [](Network& n) { n.labels[2] = std::string(129, 'a'); }},
      {"card: not a JSON object", [](Network& n) { n.card = "{"; }},
      {"card: not a JSON object", [](Network& n) { n.card = "[1]"; }},
      {"card: not a JSON object", [](Network& n) { n.card = " "; }},
      {"card: not a JSON object", [](Network& n) { n.card = std::string(100000, '['); }},
      {"card: not a JSON object", [](Network& n) { n.card = "{\"a\": \"\xff\"}"; }},
      {"card: 1048577 bytes", [](Network& n) { n.card = std::string((1 << 20) + 1, ' '); }},
      {"layers: 0 layers", [](Network& n) { n.layers.clear(); }},
      {"layers: 4097 layers", [](Network& n) { n.layers.resize(4097); }},
      {"layers: no linear layer", [](Network& n) { n.layers.resize(kTestExit); }},
      {"sub_networks: 0 sub-networks", [](Network& n) { n.sub_networks.clear(); }},
      {"sub_networks: 4097 sub-networks", [](Network& n) { n.sub_networks.resize(4097); }},
      {"points: 0 operating points", [](Network& n) { n.points.clear(); }},
      {"points: 4097 operating points", [](Network& n) { n.points.resize(4097); }},
  });
}

TEST(ValidateTest, NamesTheBadFieldOfTheInput) {
  const auto input = [](const std::function<void(Layer&)>& change) {
    return [change](Network& n) { change(n.layers[kTestInput]); };
  };
  ExpectErrors({
      {"layers[0].op: the first layer", input([](Layer& l) { l.op = Op::kConv; })},
      {"layers[0].input: an input reads", input([](Layer& l) { l.input = 0; })},
      {"layers[0].shortcut: an input", input([](Layer& l) { l.shortcut = 0; })},
      {"layers[0].window: an input", input([](Layer& l) { l.window.kernel_h = 3; })},
      {"layers[0].dense: only", input([](Layer& l) { l.dense = false; })},
      {"layers[0].activation: an input", input([](Layer& l) { l.activation = Activation::kRelu; })},
      {"layers[0].weights: an input", input([](Layer& l) { l.weights = {1}; })},
      {"layers[0].out_h: 5x6, expected the network's input of 6x6",
       input([](Layer& l) { l.out_h = 5; })},
      {"layers[0].out_h: 6x7", input([](Layer& l) { l.out_w = 7; })},
      {"layers[0].group_channels: expected one entry, 1", input([](Layer& l) {
         l.group_channels = {1, 1};
       })},
      {"layers[0].group_channels", input([](Layer& l) { l.group_channels = {3}; })},
      {"layers[0].group_channels", input([](Layer& l) { l.group_channels.clear(); })},
      {"layers[0].out_h: a map of 17179869184 elements",
       [](Network& n) {
         n.input_h = n.input_w = 1 << 14;
         n.input_c = 64;
         n.layers[0].out_h = n.layers[0].out_w = 1 << 14;
         n.layers[0].group_channels = {64};
       }},
  });
}

TEST(ValidateTest, NamesTheBadFieldOfALayer) {
  const auto layer = [](LayerIndex index, const std::function<void(Layer&)>& change) {
    return [index, change](Network& n) { change(n.layers[static_cast<size_t>(index)]); };
  };
  ExpectErrors({
      {"layers[1].name: expected", layer(1, [](Layer& l) { l.name = std::string(129, 'x'); })},
      {"layers[1].name: expected", layer(1, [](Layer& l) { l.name = "a\nb"; })},
      {"layers[1].op: unknown operator 5", layer(1, [](Layer& l) { l.op = static_cast<Op>(5); })},
      {"layers[1].op: the first layer, and no other",
       layer(1, [](Layer& l) { l.op = Op::kInput; })},
      {"layers[1].input: layer -1, expected an earlier", layer(1, [](Layer& l) { l.input = -1; })},
      {"layers[1].input: layer 1, expected an earlier", layer(1, [](Layer& l) { l.input = 1; })},
      {"layers[1].input: layer 99, expected", layer(1, [](Layer& l) { l.input = 99; })},
      {"layers[3].input: layer 2 is a head", layer(3, [](Layer& l) { l.input = 2; })},
      {"layers[4].input: only a convolution reads", layer(4, [](Layer& l) { l.input = 0; })},
      {"layers[7].input: only a convolution reads", layer(7, [](Layer& l) { l.input = 0; })},
      {"layers[1].activation: unknown activation 3",
       layer(1, [](Layer& l) { l.activation = static_cast<Activation>(3); })},
      {"layers[1].activation: only a linear layer",
       layer(1, [](Layer& l) { l.activation = Activation::kLogits; })},
      {"layers[2].activation: a linear layer leaves logits",
       layer(2, [](Layer& l) { l.activation = Activation::kSigned; })},
      {"layers[4].activation: a maximum keeps",
       layer(4, [](Layer& l) { l.activation = Activation::kSigned; })},
      {"layers[2].dense: only a convolution", layer(2, [](Layer& l) { l.dense = false; })},
      {"layers[4].dense: only a convolution", layer(4, [](Layer& l) { l.dense = false; })},
      {"layers[2].out_h: 1, expected 3", layer(2, [](Layer& l) { l.window.stride_h = 2; })},
      {"layers[2].out_h: 1, expected 6", layer(2, [](Layer& l) { l.out_w = 2; })},
      {"layers[1].window.kernel_h: 0", layer(1, [](Layer& l) { l.window.kernel_h = 0; })},
      {"layers[1].window.kernel_w: 2147483647",
       layer(1, [](Layer& l) { l.window.kernel_w = std::numeric_limits<int>::max(); })},
      {"layers[1].window.kernel_w: 9 over a padded map of 8",
       layer(1, [](Layer& l) { l.window.kernel_w = 9; })},
      {"layers[1].window.stride_h: 0", layer(1, [](Layer& l) { l.window.stride_h = 0; })},
      {"layers[1].window.stride_w: -1", layer(1, [](Layer& l) { l.window.stride_w = -1; })},
      {"layers[1].window.pad_h: 3 before", layer(1, [](Layer& l) { l.window.pad_top = 3; })},
      {"layers[1].window.pad_h: 1 before and 3 after",
       layer(1, [](Layer& l) { l.window.pad_bottom = 3; })},
      {"layers[1].window.pad_w: -1 before", layer(1, [](Layer& l) { l.window.pad_left = -1; })},
      {"layers[1].window.pad_w: 1 before and -2147483648",
       layer(1, [](Layer& l) { l.window.pad_right = std::numeric_limits<int>::min(); })},
      {"layers[1].out_h: 7, expected 6", layer(1, [](Layer& l) { l.out_h = 7; })},
      {"layers[1].out_w: 5, expected 6", layer(1, [](Layer& l) { l.out_w = 5; })},
      {"layers[1].out_w: 6, expected 3", layer(1, [](Layer& l) { l.window.stride_w = 2; })},
      {"layers[1].group_channels: 1 entries, expected 2",
       layer(1, [](Layer& l) { l.group_channels = {8}; })},
      {"layers[1].group_channels[1]: 6, expected a multiple of 4",
       layer(1,
             [](Layer& l) {
               l.group_channels = {4, 6};
             })},
      {"layers[1].group_channels[0]: 0", layer(1,
                                               [](Layer& l) {
                                                 l.group_channels = {0, 8};
                                               })},
      {"layers[1].group_channels[0]: -4", layer(1,
                                                [](Layer& l) {
                                                  l.group_channels = {-4, 8};
                                                })},
      {"layers[1].group_channels: 65540 in all", layer(1,
                                                       [](Layer& l) {
                                                         l.group_channels = {4, 65536};
                                                       })},
      {"layers[4].group_channels: a pool keeps", layer(4,
                                                       [](Layer& l) {
                                                         l.group_channels = {4, 8};
                                                       })},
      {"layers[6].group_channels: a pool keeps", layer(6,
                                                       [](Layer& l) {
                                                         l.group_channels = {8, 4};
                                                       })},
      {"layers[2].group_channels: 1 logits for 3 labels",
       layer(2, [](Layer& l) { l.group_channels = {1}; })},
      {"layers[2].group_channels: 3 logits for 2 labels", [](Network& n) { n.labels.pop_back(); }},
      {"layers[2].shortcut: only a convolution", layer(2, [](Layer& l) { l.shortcut = 1; })},
      {"layers[3].shortcut: layer 3, expected", layer(3, [](Layer& l) { l.shortcut = 3; })},
      {"layers[3].shortcut: layer -2, expected", layer(3, [](Layer& l) { l.shortcut = -2; })},
      {"layers[3].shortcut: layer 0 is no conv", layer(3, [](Layer& l) { l.shortcut = 0; })},
      {"layers[3].shortcut: layer 2 is no conv", layer(3, [](Layer& l) { l.shortcut = 2; })},
      {"layers[5].shortcut: layer 3 has another shape", layer(5, [](Layer& l) { l.shortcut = 3; })},
      {"layers[1].weights: 73 values, expected 72",
       layer(1, [](Layer& l) { l.weights.push_back(0); })},
      {"layers[7].weights: 0 values, expected 36", layer(7, [](Layer& l) { l.weights.clear(); })},
      {"layers[4].weights: a pool has none", layer(4, [](Layer& l) { l.weights = {1}; })},
      {"layers[1].weights[5]: -128", layer(1, [](Layer& l) { l.weights[5] = -128; })},
      {"layers[3].weights[4]: not zero between", layer(3, [](Layer& l) { l.weights[4] = 1; })},
      {"layers[3].weights[287]: not zero between", layer(3, [](Layer& l) { l.weights[287] = 1; })},
      {"layers[3].weights[288]: not zero between", layer(3, [](Layer& l) { l.weights[288] = -1; })},
      {"layers[3].weights[571]: not zero between", layer(3, [](Layer& l) { l.weights[571] = 1; })},
  });
}

TEST(ValidateTest, NamesTheBadFieldOfASubNetwork) {
  ExpectErrors({
      {"sub_networks[1].groups: mask 0x0", [](Network& n) { n.sub_networks[1].groups = {}; }},
      {"sub_networks[1].groups: mask 0x6",
       [](Network& n) { n.sub_networks[1].groups = GroupSet(6); }},
      {"sub_networks[1].groups: the same groups",
       [](Network& n) { n.sub_networks[1].groups = GroupSet(1); }},
      {"sub_networks[2].tables: 7 entries, expected one for each of 8",
       [](Network& n) { n.sub_networks[2].tables.pop_back(); }},
      {"sub_networks[2].tables[0]: an input or a maximum",
       [](Network& n) { Tables(n, kTestInput).bias = {1}; }},
      {"sub_networks[2].tables[4]: an input or a maximum",
       [](Network& n) { Tables(n, kTestMax).shift = 1; }},
      {"sub_networks[2].tables[1].bias: 7 values, expected 8",
       [](Network& n) { Tables(n, kTestFirst).bias.pop_back(); }},
      {"sub_networks[2].tables[6].mul: 0 values, expected 12",
       [](Network& n) { Tables(n, kTestSum).mul.clear(); }},
      {"sub_networks[2].tables[3].shortcut_mul: 9 values, expected 8",
       [](Network& n) { Tables(n, kTestGrouped).shortcut_mul.push_back(0); }},
      {"sub_networks[2].tables[1].clamp: only logits",
       [](Network& n) { Tables(n, kTestFirst).clamp = 1; }},
      {"sub_networks[2].tables[1].clamp: only logits",
       [](Network& n) { Tables(n, kTestFirst).shift = 1; }},
      {"sub_networks[2].tables[1].shortcut_mul: the layer has no",
       [](Network& n) { Tables(n, kTestFirst).shortcut_mul = {1}; }},
      {"sub_networks[2].tables[1].shortcut_mul: the layer has no",
       [](Network& n) { Tables(n, kTestFirst).shortcut_shift = 1; }},
      {"sub_networks[2].tables[1].shortcut_mul: the layer has no",
       [](Network& n) { Tables(n, kTestFirst).shortcut_clamp = 1; }},
      {"sub_networks[2].tables[7].clamp: 0", [](Network& n) { Tables(n, kTestLast).clamp = 0; }},
      {"sub_networks[2].tables[7].clamp: -1", [](Network& n) { Tables(n, kTestLast).clamp = -1; }},
      {"sub_networks[2].tables[7].shift: 0", [](Network& n) { Tables(n, kTestLast).shift = 0; }},
      {"sub_networks[2].tables[7].shift: 31", [](Network& n) { Tables(n, kTestLast).shift = 31; }},
      {"sub_networks[2].tables[3].shortcut_clamp: 0",
       [](Network& n) { Tables(n, kTestGrouped).shortcut_clamp = 0; }},
      {"sub_networks[2].tables[3].shortcut_shift: 0",
       [](Network& n) { Tables(n, kTestGrouped).shortcut_shift = 0; }},
      {"sub_networks[2].tables[3].shortcut_shift: 31",
       [](Network& n) { Tables(n, kTestGrouped).shortcut_shift = 31; }},
      {"sub_networks[0].tables[1].bias[4]: not 0 in an absent",
       [](Network& n) { Tables(n, kTestFirst, 0).bias[4] = 1; }},
      {"sub_networks[0].tables[1].mul[7]: not 0 in an absent",
       [](Network& n) { Tables(n, kTestFirst, 0).mul[7] = 1; }},
      {"sub_networks[0].tables[3].shortcut_mul[4]: not 0 in an absent",
       [](Network& n) { Tables(n, kTestGrouped, 0).shortcut_mul[4] = 1; }},
      {"sub_networks[2].tables[1].mul[2]: 16777217, expected",
       [](Network& n) { Tables(n, kTestFirst).mul[2] = (1 << 24) + 1; }},
      {"sub_networks[2].tables[6].mul[2]: -2147483648, expected",
       [](Network& n) { Tables(n, kTestSum).mul[2] = std::numeric_limits<int32_t>::min(); }},
      {"sub_networks[2].tables[7].mul[1]: -2147483648 times the clamp",
       [](Network& n) { Tables(n, kTestLast).mul[1] = std::numeric_limits<int32_t>::min(); }},
      {"sub_networks[2].tables[3].shortcut_mul[1]: 2048 times the clamp",
       [](Network& n) { Tables(n, kTestGrouped).shortcut_mul[1] = 2048; }},
      {"sub_networks[2].tables[1].bias[0]: the accumulator can reach",
       [](Network& n) { Tables(n, kTestFirst).bias[0] = std::numeric_limits<int32_t>::min(); }},
  });
}

TEST(ValidateTest, NamesTheBadFieldOfAPoint) {
  ExpectErrors({
      {"points[0].head: layer -1", [](Network& n) { n.points[0].head = -1; }},
      {"points[0].head: layer 8", [](Network& n) { n.points[0].head = 8; }},
      {"points[0].head: layer 6", [](Network& n) { n.points[0].head = kTestSum; }},
      {"points[0].terms: none", [](Network& n) { n.points[0].terms.clear(); }},
      {"points[0].terms[0]: there is no", [](Network& n) { n.points[0].terms = {3}; }},
      {"points[0].terms[0]: there is no", [](Network& n) { n.points[0].terms = {-1}; }},
      {"points[3].terms[1]: shares",
       [](Network& n) {
         n.points[3].terms = {0, 2};
       }},
      {"points[3].terms[1]: shares",
       [](Network& n) {
         n.points[3].terms = {0, 0};
       }},
      {"points[0].name: operating point 'h0'", [](Network& n) { n.points[0].name = "h0"; }},
      {"points[0].name: 'g1', but its terms and head are those of 'g0'",
       [](Network& n) { n.points[0].name = "g1"; }},
      {"points[3].name: 'g0,1', but",
       [](Network& n) {
         n.points[3].terms = {1, 0};
       }},
      {"points[4].name: 'g0+1/e0', but", [](Network& n) { n.points[4].head = kTestLast; }},
      {"points[1].name: 'g0' again", [](Network& n) { n.points[1] = n.points[0]; }},
      {"points[0].accuracy: 1.5", [](Network& n) { n.points[0].accuracy = 1.5; }},
      {"points[0].accuracy: -0.1", [](Network& n) { n.points[0].accuracy = -0.1; }},
      {"points[0].accuracy: nan", [](Network& n) { n.points[0].accuracy = std::nan(""); }},
      {"points[0].macs_mean: -1", [](Network& n) { n.points[0].macs_mean = -1; }},
      {"points[0].macs_mean", [](Network& n) { n.points[0].macs_worst = 0; }},
      {"points[0].weight_bytes: -1", [](Network& n) { n.points[0].weight_bytes = -1; }},
  });
}

// The bound is exact: one unit less is accepted, and that one unit can be reached.
TEST(ValidateTest, ProvesTheAccumulatorToTheLastUnit) {
  Network network = MakeTestNetwork();
  std::fill(network.layers[kTestFirst].weights.begin(),
            network.layers[kTestFirst].weights.begin() + 9, int8_t{-127});
  constexpr int32_t kProducts = 9 * 127 * 128;  // the image reaches -128
  Tables(network, kTestFirst).bias[0] = static_cast<int32_t>(kMaxS32) - kProducts;
  EXPECT_EQ(Validate(network).ToString(), "OK");
  ++Tables(network, kTestFirst).bias[0];
  EXPECT_EQ(Validate(network).message(),
            "sub_networks[2].tables[1].bias[0]: the accumulator can reach 2147483648, which leaves "
            "s32");
}

TEST(ValidateTest, CountsOnlyTheGroupsOfTheSubNetwork) {
  Network network = MakeTestNetwork();
  Layer& dense = network.layers[kTestDense];
  std::fill(dense.weights.begin(), dense.weights.begin() + 8, int8_t{127});
  constexpr int32_t kHalf = 4 * 127 * 127;
  Tables(network, kTestDense, 0).bias[0] = static_cast<int32_t>(kMaxS32) - kHalf;
  EXPECT_EQ(Validate(network).ToString(), "OK");
  Tables(network, kTestDense, 2).bias[0] = static_cast<int32_t>(kMaxS32) - kHalf;
  EXPECT_THAT(Validate(network).message(), HasSubstr("sub_networks[2].tables[5].bias[0]"));
}

TEST(ValidateTest, CountsTheShortcutAndTheSum) {
  Network network = MakeTestNetwork();
  LayerTables& grouped = Tables(network, kTestGrouped);
  int32_t products = 0;
  for (size_t i = 0; i < 72; ++i)
    products += 127 * std::abs(network.layers[kTestGrouped].weights[i]);
  grouped.shortcut_mul[0] = -512;  // times 2^20, shifted by 9: up to 2^20
  grouped.bias[0] = static_cast<int32_t>(kMaxS32) - products - (1 << 20);
  EXPECT_EQ(Validate(network).ToString(), "OK");
  ++grouped.bias[0];
  EXPECT_THAT(Validate(network).message(), HasSubstr("sub_networks[2].tables[3].bias[0]"));

  network = MakeTestNetwork();
  Tables(network, kTestSum).bias[3] = -(static_cast<int32_t>(kMaxS32) - 9 * 127);
  EXPECT_EQ(Validate(network).ToString(), "OK");
  --Tables(network, kTestSum).bias[3];
  EXPECT_THAT(Validate(network).message(), HasSubstr("sub_networks[2].tables[6].bias[3]"));
}

TEST(ValidateTest, ProvesTheProductOfTheLogitsToTheLastUnit) {
  Network network = MakeTestNetwork();
  LayerTables& last = Tables(network, kTestLast);
  last.mul = {1, 1, -1};
  last.shift = 30;
  last.clamp = static_cast<int32_t>(kMaxS32 - (1 << 29));
  EXPECT_EQ(Validate(network).ToString(), "OK");
  ++last.clamp;
  EXPECT_THAT(Validate(network).message(), HasSubstr("sub_networks[2].tables[7].mul[0]: 1 times"));
}

TEST(ValidateTest, ProvesThatAddedLogitsStayInRange) {
  Network network = MakeTestNetwork();
  for (const size_t s : {size_t{0}, size_t{1}}) {
    LayerTables& last = Tables(network, kTestLast, s);
    last.mul = {1, 1, 1};
    last.shift = 1;
    last.clamp = static_cast<int32_t>(kMaxS32) - 1;
  }
  // Each term reaches 2^30 - 1 (or, rounded, 2^30 - 1); two of them stay below 2^31.
  EXPECT_EQ(Validate(network).ToString(), "OK");
}

// Four groups of one 1x1 convolution and a head on a 1x1 image.
Network FourGroups() {
  Network network;
  network.name = "four";
  network.groups = 4;
  network.input_h = network.input_w = network.input_c = 1;
  network.labels = {"only"};
  network.layers.resize(3);
  for (Layer& layer : network.layers) {
    layer.out_h = layer.out_w = 1;
    layer.group_channels = {1};
  }
  network.layers[0].activation = Activation::kSigned;
  network.layers[1].op = Op::kConv;
  network.layers[1].input = 0;
  network.layers[1].group_channels = {4, 4, 4, 4};
  network.layers[1].weights.assign(16, 1);
  network.layers[2].op = Op::kLinear;
  network.layers[2].input = 1;
  network.layers[2].activation = Activation::kLogits;
  network.layers[2].weights.assign(16, 1);
  std::vector<LayerTables> tables(3);
  tables[1].bias.assign(16, 0);
  tables[1].mul.assign(16, 0);
  tables[2].bias = {0};
  tables[2].mul = {1};
  tables[2].clamp = 1 << 30;
  tables[2].shift = 1;
  for (int g = 0; g < 4; ++g) {
    network.sub_networks.push_back({.groups = GroupSet::Single(g), .tables = tables});
  }
  return network;
}

TEST(ValidateTest, ProvesThatLogitsOfManyTermsStayInRange) {
  Network network = FourGroups();
  OperatingPoint point;
  point.name = "g0,1,2";
  point.terms = {0, 1, 2};
  point.head = 2;
  network.points.push_back(point);
  EXPECT_EQ(Validate(network).ToString(), "OK") << "3 * 2^29";
  point.name = "g0,1,2,3";
  point.terms.push_back(3);
  network.points.push_back(point);
  EXPECT_EQ(Validate(network).message(),
            "points[1].terms: logit 0 can reach 2147483648, which leaves s32");
}

TEST(ValidateTest, LimitsTheTablesInAll) {
  Network network = MakeTestNetwork();
  const Layer exit = network.layers[kTestExit];
  while (network.layers.size() < 100) network.layers.push_back(exit);
  network.sub_networks.resize(static_cast<size_t>(kMaxTableSets / 100 + 1));
  EXPECT_THAT(Validate(network).message(), HasSubstr("sub_networks: 2622 of 100 layers"));
}

}  // namespace
}  // namespace braid::model
