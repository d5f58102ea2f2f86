#include "braid/model/restoration.h"

#include <gtest/gtest.h>

#include <limits>

#include "braid/model/file.h"
#include "braid/model/layer_map.h"
#include "braid/model/test_network.h"

namespace braid::model {
namespace {

TEST(RestorationTest, RoundsWhatIsAddedToTheNearestLevelAndStaysInAByte) {
  EXPECT_EQ(RestoredPixel(100, 0), 100);
  EXPECT_EQ(RestoredPixel(100, 7), 100);
  EXPECT_EQ(RestoredPixel(100, 8), 101);  // halves go up
  EXPECT_EQ(RestoredPixel(100, -8), 100);
  EXPECT_EQ(RestoredPixel(100, -9), 99);
  EXPECT_EQ(RestoredPixel(250, 1000), 255);
  EXPECT_EQ(RestoredPixel(5, -1000), 0);
  EXPECT_EQ(RestoredPixel(5, std::numeric_limits<int32_t>::max()), 255);
  EXPECT_EQ(RestoredPixel(5, std::numeric_limits<int32_t>::min()), 0);
}

// Two 3x3 convolutions, a 1x1 one and a head of 3x3: 8x6 pixels of one channel.
Network Restoring() {
  Network network;
  network.name = "restoring";
  network.groups = 1;
  network.input_h = 8;
  network.input_w = 6;
  network.input_c = 1;
  network.labels = {"added"};
  network.sub_networks.push_back({.groups = GroupSet::First(1), .tables = {}});
  const auto add = [&](Op op, int kernel, int channels, Activation activation) {
    Layer layer;
    layer.op = op;
    layer.input = static_cast<LayerIndex>(network.layers.size()) - 1;
    layer.activation = activation;
    const int pad = kernel / 2;
    if (op != Op::kInput) layer.window = {kernel, kernel, 1, 1, pad, pad, pad, pad};
    layer.out_h = 8;
    layer.out_w = 6;
    layer.group_channels = {channels};
    network.layers.push_back(layer);
    LayerTables tables;
    if (op != Op::kInput) {
      Layer& added = network.layers.back();
      added.weights.assign(static_cast<size_t>(WeightExtentsOf(network, added).Elements()), 1);
      tables.bias.assign(static_cast<size_t>(channels), 0);
      tables.mul.assign(static_cast<size_t>(channels), 1000);
    }
    if (op == Op::kLinear) tables.clamp = 1000, tables.shift = 8;
    network.sub_networks[0].tables.push_back(tables);
  };
  add(Op::kInput, 1, 1, Activation::kSigned);
  network.layers[0].input = kNoLayer;
  add(Op::kConv, 3, 4, Activation::kRelu);
  add(Op::kConv, 3, 4, Activation::kRelu);
  add(Op::kConv, 1, 4, Activation::kRelu);
  add(Op::kLinear, 3, 1, Activation::kLogits);
  network.points.push_back({.name = "g0", .terms = {0}, .head = 4});
  return network;
}

TEST(RestorationTest, TheRadiusIsThatOfAllWindowsTogether) {
  const Network network = Restoring();
  ASSERT_TRUE(Validate(network).ok()) << Validate(network).ToString();
  const auto radius = RestorationRadius(network);
  ASSERT_TRUE(radius.ok()) << radius.status().ToString();
  EXPECT_EQ(*radius, 3);
  EXPECT_EQ(RestorationRadius(MakeTestNetwork()).status().code(), StatusCode::kInvalidArgument);
}

TEST(RestorationTest, AHeadWithAWindowGoesThroughAFile) {
  const Network network = Restoring();
  const auto bytes = Serialize(network);
  ASSERT_TRUE(bytes.ok()) << bytes.status().ToString();
  const auto read = Parse(*bytes);
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(read->network.layers.back().window, network.layers.back().window);
  EXPECT_EQ(read->network.layers.back().out_w, 6);
}

TEST(RestorationTest, AHeadsMapMustBeWhatItsWindowGives) {
  Network network = Restoring();
  network.layers.back().out_h = 7;
  EXPECT_EQ(Validate(network).code(), StatusCode::kInvalidArgument);
  network.layers.back().out_h = network.layers.back().out_w = 1;
  EXPECT_EQ(Validate(network).code(), StatusCode::kInvalidArgument);
  // Without a window and with one answer, it covers its map, for which the weights are too few.
  network.layers.back().window = {};
  EXPECT_EQ(Validate(network).code(), StatusCode::kInvalidArgument);
}

TEST(RestorationTest, AnotherSizeChangesMapsAndCostsOnly) {
  const Network network = Restoring();
  const auto larger = WithInputSize(network, 16, 12);
  ASSERT_TRUE(larger.ok()) << larger.status().ToString();
  ASSERT_TRUE(Validate(*larger).ok()) << Validate(*larger).ToString();
  EXPECT_EQ(larger->layers.back().out_h, 16);
  EXPECT_EQ(larger->layers[2].weights, network.layers[2].weights);
  // 4 x 9 + 4 x 4 x 9 + 4 x 4 + 4 x 9 products a pixel.
  EXPECT_EQ(larger->points[0].macs_mean, 16 * 12 * (36 + 144 + 16 + 36));
  EXPECT_EQ(WithInputSize(MakeTestNetwork(), 16, 12).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace braid::model
