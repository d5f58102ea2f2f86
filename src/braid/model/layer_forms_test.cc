// Layers that read several maps and convolutions whose filters read few channels, as data: what is
// refused, what they cost, how large their sums become, and the version of their files.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>

#include "braid/model/accumulator_bounds.h"
#include "braid/model/cost.h"
#include "braid/model/file.h"
#include "braid/model/layer_map.h"
#include "braid/model/limits.h"
#include "braid/model/test_network.h"

namespace braid::model {
namespace {

constexpr int kJoined = kTestSum, kDepthwise = kTestMax;

struct Mutation {
  const char* error;  // beginning of the expected message
  LayerIndex layer;
  std::function<void(Layer&)> apply;
};

void ExpectErrors(const std::vector<Mutation>& mutations) {
  for (const Mutation& mutation : mutations) {
    Network network = MakeFormsNetwork();
    mutation.apply(network.layers[static_cast<size_t>(mutation.layer)]);
    const Status status = Validate(network);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << mutation.error;
    EXPECT_EQ(status.message().substr(0, std::string(mutation.error).size()), mutation.error);
  }
}

TEST(LayerFormsTest, AreAccepted) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_EQ(Validate(MakeFormsNetwork(seed)).ToString(), "OK");
  }
}

TEST(LayerFormsTest, NameABadInput) {
  const auto more = [](std::vector<LayerIndex> inputs) {
    return [inputs](Layer& l) { l.more_inputs = inputs; };
  };
  ExpectErrors({
      {"layers[0].more_inputs: an input reads no layer", kTestInput, more({0})},
      {"layers[6].more_inputs[0]: layer -1, expected an earlier", kJoined, more({-1})},
      {"layers[6].more_inputs[0]: layer 6, expected an earlier", kJoined, more({6})},
      {"layers[6].more_inputs[1]: layer 4097, expected", kJoined, more({kTestMax, 4097})},
      {"layers[6].more_inputs[0]: layer 2 is a head", kJoined, more({kTestExit})},
      {"layers[6].more_inputs[0]: layer 5 again", kJoined, more({kTestDense})},
      {"layers[6].more_inputs[1]: layer 4 again", kJoined, more({kTestMax, kTestMax})},
      {"layers[6].more_inputs[0]: a map of 6x6, that of the first input is 3x3", kJoined,
       more({kTestGrouped})},
      {"layers[6].more_inputs: 65 inputs in all, at most 64", kJoined,
       more(std::vector<LayerIndex>(64, kTestMax))},
      {"layers[6].weights: 2160 values, expected 1296", kJoined, more({})},
      {"layers[2].more_inputs[0]: only a convolution reads the network's input", kTestExit,
       more({kTestInput})},
      {"layers[3].weights[4]: not zero between two groups", kTestGrouped,
       [](Layer& l) { l.weights[4] = 1; }},
  });
  Network network = MakeTestNetwork();
  network.layers[kTestSum].more_inputs = {kTestMax};
  EXPECT_EQ(Validate(network).message(),
            "layers[6].more_inputs: only a convolution or a head reads several maps");
}

TEST(LayerFormsTest, LimitTheChannelsThatALayerReads) {
  Network network = MakeFormsNetwork();
  network.layers[kTestDense].group_channels = {kMaxChannels / 2, kMaxChannels / 2};
  network.layers[kTestDense].weights.resize(static_cast<size_t>(kMaxChannels) * 8);
  EXPECT_EQ(Validate(network).message(), "layers[6].more_inputs: 65544 channels in all, at most 65536");
}

TEST(LayerFormsTest, NameBadFilters) {
  const auto width = [](int channels) {
    return [channels](Layer& l) { l.filter_channels = channels; };
  };
  ExpectErrors({
      {"layers[0].filter_channels: an input has no filters", kTestInput, width(1)},
      {"layers[2].filter_channels: only a convolution", kTestExit, width(1)},
      {"layers[4].filter_channels: 3 does not divide 4 inputs and 4 outputs of group 0",
       kDepthwise, width(3)},
      {"layers[4].filter_channels: -1 does not divide", kDepthwise, width(-1)},
      {"layers[4].filter_channels: -2147483648 does not", kDepthwise, width(-2147483647 - 1)},
      {"layers[4].filter_channels: 8 does not divide", kDepthwise, width(8)},
      {"layers[4].weights: 32 values, expected 64", kDepthwise, width(2)},
      {"layers[4].weights: 32 values, expected 256", kDepthwise, width(0)},
      {"layers[4].filter_channels: filters of some channels read one divided map", kDepthwise,
       [](Layer& l) { l.dense = true; }},
      {"layers[1].filter_channels: filters of some channels read one divided map", kTestFirst,
       width(1)},
      {"layers[3].filter_channels: filters of some channels read one divided map", kTestGrouped,
       width(4)},
  });
}

TEST(LayerFormsTest, PutInputChannelsMapAfterMapAndGroupAfterGroup) {
  const Network network = MakeFormsNetwork();
  const auto blocks = InputBlocksOf(network, network.layers[kJoined]);
  ASSERT_EQ(blocks.size(), 4u);
  const int expected[][4] = {  // map, group, first channel, channels
      {kTestDense, 0, 0, 4}, {kTestDense, 1, 4, 8}, {kTestMax, 0, 12, 4}, {kTestMax, 1, 16, 4}};
  for (size_t b = 0; b < 4; ++b) {
    EXPECT_EQ(blocks[b].map, expected[b][0]);
    EXPECT_EQ(blocks[b].group, expected[b][1]);
    EXPECT_EQ(blocks[b].first_channel, expected[b][2]);
    EXPECT_EQ(blocks[b].channels, expected[b][3]);
  }
}

TEST(LayerFormsTest, CostWhatTheirFiltersRead) {
  const Network network = MakeFormsNetwork();
  const auto weights = [&](LayerIndex layer, GroupSet groups, GroupSet local) {
    return LayerWeights(network, network.layers[static_cast<size_t>(layer)], groups, local);
  };
  const GroupSet first(1), second(2), both(3);
  EXPECT_EQ(weights(kDepthwise, both, both), 8 * 4);
  EXPECT_EQ(weights(kDepthwise, first, first), 4 * 4);
  EXPECT_EQ(weights(kTestGrouped, both, both), 8 * 9 * (4 + 1)) << "its own group and the image";
  EXPECT_EQ(weights(kJoined, both, both), 12 * 9 * (12 + 8));
  EXPECT_EQ(weights(kJoined, both, second), 8 * 9 * (12 + 8));
  EXPECT_EQ(weights(kJoined, second, second), 8 * 9 * (8 + 4));
  // The maps of both inputs of "joined", and of the depthwise layer once although "dense" reads it
  // as well.
  EXPECT_EQ(ExchangeBytes(network, both, first, kTestLast), 3 * 3 * 4 + 3 * 3 * 4);
  EXPECT_EQ(LocalCost(network, both, first, kTestLast) + LocalCost(network, both, second, kTestLast),
            SubNetworkCost(network, both, kTestLast));
}

TEST(LayerFormsTest, BoundTheirSumsOverAllInputs) {
  Network network = MakeFormsNetwork();
  const auto worst = [](const Layer& layer, size_t per_channel, size_t channel, auto magnitude) {
    int64_t sum = 0;
    for (size_t i = 0; i < per_channel; ++i) {
      sum += std::abs(layer.weights[channel * per_channel + i]) * magnitude(i);
    }
    return sum;
  };
  const Layer& joined = network.layers[kJoined];
  const Layer& grouped = network.layers[kTestGrouped];
  const Layer& depthwise = network.layers[kDepthwise];
  const AccumulatorBounds of_joined(network, joined), of_grouped(network, grouped),
      of_depthwise(network, depthwise);
  for (size_t c = 0; c < 12; ++c) {
    const auto at = static_cast<int>(c);
    EXPECT_EQ(of_joined.Products(at, GroupSet(3)),
              worst(joined, 180, c, [](size_t) { return 127; }));
    EXPECT_EQ(of_joined.Products(at, GroupSet(1)), worst(joined, 180, c, [](size_t i) {
                return i % 20 < 4 || (i % 20 >= 12 && i % 20 < 16) ? 127 : 0;
              }));
  }
  for (size_t c = 0; c < 8; ++c) {
    const GroupSet own = GroupSet::Single(c < 4 ? 0 : 1);
    EXPECT_EQ(of_grouped.Products(static_cast<int>(c), own),
              worst(grouped, 81, c, [](size_t i) { return i % 9 == 8 ? 128 : 127; }));
    EXPECT_EQ(of_depthwise.Products(static_cast<int>(c), own),
              worst(depthwise, 4, c, [](size_t) { return 127; }));
  }
}

TEST(LayerFormsTest, NeedAllTheMapsThatTheyRead) {
  Network network = MakeFormsNetwork();
  network.layers[kJoined].input = kTestMax;
  network.layers[kJoined].more_inputs = {kTestDense};
  EXPECT_EQ(NeededLayers(network, kTestLast),
            (std::vector<bool>{true, true, false, true, true, true, true, true}));
}

TEST(LayerFormsTest, RaiseTheVersionOfTheirFiles) {
  EXPECT_EQ((*Serialize(MakeTestNetwork()))[6], 1);
  std::vector<uint8_t> bytes = *Serialize(MakeFormsNetwork());
  EXPECT_EQ(bytes[6], 2);
  const Result<ModelFile> file = Parse(bytes);
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  const Layer& joined = file->network.layers[kJoined];
  EXPECT_EQ(joined.more_inputs, (std::vector<LayerIndex>{kTestMax}));
  EXPECT_EQ(file->network.layers[kDepthwise].filter_channels, 1);
  EXPECT_EQ(*Serialize(file->network), bytes);

  // A reader of version 1 would skip the fields: such a file was not made by this program.
  bytes[6] = 1;
  EXPECT_EQ(Parse(bytes).status().message(),
            "format version 1, but the content is that of version 2");
  bytes = *Serialize(MakeTestNetwork());
  bytes[6] = 2;
  EXPECT_EQ(Parse(bytes).status().message(),
            "format version 2, but the content is that of version 1");
}

TEST(LayerFormsTest, APaddedImageRaisesItTooAndIsOneByteAChannel) {
  Network network = MakeTestNetwork();
  network.input_padding = {7};
  const std::vector<uint8_t> bytes = *Serialize(network);
  EXPECT_EQ(bytes[6], 2);
  const Result<ModelFile> file = Parse(bytes);
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_EQ(file->network.input_padding, network.input_padding);
  network.input_padding = {7, 7};
  EXPECT_EQ(Validate(network).message(), "input_padding: 2 pixels, expected none or 1, one a channel");
  network.input_padding = {128};
  EXPECT_EQ(Validate(network).message(), "input_padding: 128 in every channel is what none stands for");
}

}  // namespace
}  // namespace braid::model
