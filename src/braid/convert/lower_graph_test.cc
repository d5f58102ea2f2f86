// Small graphs in the forms in which exporters write classifiers: each becomes integers that stay close
// to the graph's own values.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "braid/convert/testing/small_graph.h"

namespace braid::convert {
namespace {

using ::testing::HasSubstr;

using LowerGraphTest = testing::SmallGraphTest;
using testing::kInputs;
using testing::kSide;

TEST_F(LowerGraphTest, FoldsNormalizationAndClips) {
  ChannelsFirst();
  Conv("x", kInputs, 6, "c1");
  const auto scale = Random("s", {6}, -1, 2), bias = Random("b", {6}, -1, 1);
  const auto mean = Random("m", {6}, -1, 1), variance = Random("v", {6}, 0.5, 2);
  graph_.Node("BatchNormalization", {"c1", scale, bias, mean, variance}, "n1");
  graph_.Float("low", {}, {0});
  graph_.Float("high", {}, {1.5});
  graph_.Node("Clip", {"n1", "low", "high"}, "r1");
  Pool("r1", "p1");
  Answer("p1", 6, 4);
  const Result<ImportedModel> imported = Import(128, 64);
  ExpectClose(imported, 4);
  EXPECT_FLOAT_EQ(static_cast<float>(imported->layers[1].bound), 1.5F);
}

TEST_F(LowerGraphTest, MovesAReluBeforeItsPool) {
  ChannelsFirst();
  Conv("x", kInputs, 5, "c1");
  Pool("c1", "p1");
  graph_.Node("Relu", {"p1"}, "r1");
  Conv("r1", 5, 7, "c2");
  graph_.Node("Relu", {"c2"}, "r2");
  Answer("r2", 7, 4);
  ExpectClose(Import(128, 64), 5);
}

TEST_F(LowerGraphTest, TakesChannelsLastAndScalingInTheGraph) {
  graph_.Input("x", onnx::TensorProto::FLOAT, {-1, kSide, kSide, kInputs});
  graph_.Node("Transpose", {"x"}, "t");
  graph_.SetInts("perm", {0, 3, 1, 2});
  graph_.Float("middle", {}, {128});
  graph_.Float("spread", {1, 3, 1, 1}, {50, 60, 70});
  graph_.Node("Sub", {"t", "middle"}, "t1");
  graph_.Node("Div", {"t1", "spread"}, "t2");
  Conv("t2", kInputs, 4, "c1");
  graph_.Node("Relu", {"c1"}, "r1");
  Answer("r1", 4, 8);
  const Result<ImportedModel> imported = Import(0, 1);
  ExpectClose(imported, 3);
  EXPECT_LT(imported->padding_offset, 1e-9);
}

TEST_F(LowerGraphTest, AddsAMapBehindAnActivation) {
  ChannelsFirst();
  Conv("x", kInputs, 8, "c1");
  graph_.Node("Relu", {"c1"}, "r1");
  Conv("r1", 8, 8, "c2");
  graph_.Node("Add", {"r1", "c2"}, "a");
  graph_.Node("Relu", {"a"}, "r2");
  graph_.Node("GlobalAveragePool", {"r2"}, "mean");
  Answer("mean", 8, 1);
  ExpectClose(Import(128, 64), 6);
}

TEST_F(LowerGraphTest, AddsTheSumsBeforeTheActivations) {
  ChannelsFirst();
  Conv("x", kInputs, 8, "c1");
  graph_.Node("Relu", {"c1"}, "r1");
  Conv("r1", 8, 8, "c2");
  graph_.Node("Add", {"c1", "c2"}, "a1");  // as Braid's own residual networks do
  graph_.Node("Relu", {"a1"}, "r2");
  Conv("r2", 8, 8, "c3");
  graph_.Node("Add", {"c3", "a1"}, "a2");
  graph_.Node("Relu", {"a2"}, "r3");
  graph_.Node("GlobalAveragePool", {"r3"}, "mean");
  Answer("mean", 8, 1);
  const Result<ImportedModel> imported = Import(128, 64);
  ExpectClose(imported, 6);  // no identity carries a shortcut
  EXPECT_EQ(imported->network.layers[2].shortcut, 1);
  EXPECT_EQ(imported->network.layers[3].shortcut, 2);
}

TEST_F(LowerGraphTest, RefusesAConvolutionOfWhatAnActivationReads) {
  ChannelsFirst();
  Conv("x", kInputs, 4, "c1");
  graph_.Node("Relu", {"c1"}, "r1");
  Conv("c1", 4, 4, "c2");
  graph_.Node("Add", {"r1", "c2"}, "a");
  Answer("a", 4, 8);
  EXPECT_THAT(Import(128, 64).status().message(), HasSubstr("node 'r1' (Relu): others read"));
}

TEST_F(LowerGraphTest, TakesAQuantizedModelsReluFromItsZeroPoint) {
  ChannelsFirst();
  graph_.Float("scale", {}, {0.02F});
  graph_.Uint8("zero", {}, {0});
  Conv("x", kInputs, 6, "c1");
  graph_.Node("QuantizeLinear", {"c1", "scale", "zero"}, "q1");
  graph_.Node("DequantizeLinear", {"q1", "scale", "zero"}, "d1");
  Answer("d1", 6, 8);
  const Result<ImportedModel> imported = Import(128, 64);
  ExpectClose(imported, 3);
  EXPECT_EQ(imported->network.layers[1].activation, model::Activation::kRelu);
}

// The graph pads with 0, which is the pixel 0 here, not 128.
TEST_F(LowerGraphTest, PadsTheImageAsTheGraphDoes) {
  ChannelsFirst();
  Conv("x", kInputs, 4, "c1");
  graph_.Node("Relu", {"c1"}, "r1");
  Answer("r1", 4, 8);
  const Result<ImportedModel> imported = Import(0, 255);
  ExpectClose(imported, 3);
  EXPECT_EQ(imported->network.input_padding, std::vector<uint8_t>(kInputs, 0));
  EXPECT_EQ(imported->padding_offset, 0);
}

TEST_F(LowerGraphTest, SaysHowFarThePaddingIsOffBetweenTwoPixels) {
  ChannelsFirst();
  Conv("x", kInputs, 4, "c1");
  graph_.Node("Relu", {"c1"}, "r1");
  Answer("r1", 4, 8);
  const Result<ImportedModel> imported = Import(33.25, 64);
  ASSERT_TRUE(imported.ok()) << imported.status().ToString();
  EXPECT_EQ(imported->network.input_padding, std::vector<uint8_t>(kInputs, 33));
  EXPECT_NEAR(imported->padding_offset, 0.25 / 64, 1e-9);
}

TEST_F(LowerGraphTest, SaysHowFarThePaddingIsOffBeyondAllPixels) {
  ChannelsFirst();
  Conv("x", kInputs, 4, "c1");
  graph_.Node("Relu", {"c1"}, "r1");
  Answer("r1", 4, 8);
  const Result<ImportedModel> imported = Import(-10, 64);
  ASSERT_TRUE(imported.ok()) << imported.status().ToString();
  EXPECT_EQ(imported->network.input_padding, std::vector<uint8_t>(kInputs, 0));
  EXPECT_NEAR(imported->padding_offset, 10.0 / 64, 1e-9);
}

TEST_F(LowerGraphTest, RefusesAnAdditionThatIsNoResidual) {
  ChannelsFirst();
  Conv("x", kInputs, 4, "c1");
  graph_.Node("Relu", {"c1"}, "r1");
  Pool("r1", "p1");
  graph_.Node("Add", {"p1", "p1"}, "twice");
  Answer("twice", 4, 4);
  EXPECT_THAT(Import(128, 64).status().message(),
              HasSubstr("node 'twice' (Add): an addition without a convolution"));
}

TEST_F(LowerGraphTest, RefusesANumberOfGroupsThatOverflows) {
  ChannelsFirst();
  const std::string w = Random("w", {4, 3, 3, 3}, -1, 1);
  graph_.Node("Conv", {"x", w}, "conv");
  // 3 x this is 2^64 + 2: it wraps to a small number.
  graph_.SetInts("group", {6148914691236517206});
  Answer("conv", 4, 6);
  const Status status = Import(0, 1).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("do not fit"));
}

}  // namespace
}  // namespace braid::convert
