// Graphs whose answer is the image and what they add to it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "braid/base/rng.h"
#include "braid/convert/graph_run.h"
#include "braid/convert/graph_writer.h"
#include "braid/convert/import_onnx.h"
#include "braid/convert/onnx_graph.h"
#include "braid/model/restoration.h"
#include "braid/runtime/testing/direct_network.h"

namespace braid::convert {
namespace {

using ::testing::HasSubstr;

constexpr int kSide = 12, kPictures = 6;

class LowerImageTest : public ::testing::Test {
 protected:
  void Input(int channels = 1) {
    graph_.Input("x", onnx::TensorProto::FLOAT, {-1, channels, kSide, kSide});
  }
  std::string Conv(const std::string& input, int from, int to, const std::string& name,
                   double weight, int stride = 1) {
    std::vector<float> weights, bias;
    for (int i = 0; i < to * from * 9; ++i) weights.push_back(Within(weight));
    for (int i = 0; i < to; ++i) bias.push_back(Within(weight));
    const std::string w = graph_.Float(name + "_w", {to, from, 3, 3}, weights);
    const std::string b = graph_.Float(name + "_b", {to}, bias);
    graph_.Node("Conv", {input, w, b}, name);
    graph_.SetInts("pads", {1, 1, 1, 1});
    graph_.SetInts("strides", {stride, stride});
    return name;
  }
  // What a network with an activation between two convolutions makes of `input`.
  std::string Map(const std::string& input) {
    Conv(input, 1, 8, "conv", 0.5);
    graph_.Node("Relu", {"conv"}, "relu");
    return Conv("relu", 8, 1, "map", 0.05);
  }
  std::string Limits(double low, double high) {
    graph_.Float("low", {}, {static_cast<float>(low)});
    graph_.Float("high", {}, {static_cast<float>(high)});
    return graph_.Node("Clip", {"sum", "low", "high"}, "clipped");
  }
  void Answer(const std::string& value) {
    graph_.Node("Identity", {value}, "y");
    graph_.Output("y", onnx::TensorProto::FLOAT, {-1, 1, kSide, kSide});
  }
  float Within(double most) { return static_cast<float>(most * (2 * rng_.Uniform() - 1)); }

  Result<ImportedModel> Import(double std = 255, int channels = 1) {
    onnx_ = graph_.Finish("test", "");
    pixels_.resize(static_cast<size_t>(kPictures * kSide * kSide * channels));
    for (uint8_t& p : pixels_) p = static_cast<uint8_t>(rng_.Between(0, 255));
    ImportOptions options;
    options.mean = {0};
    options.std = {std};
    options.rank = 1;
    options.name = "restorer";
    return ImportOnnx(onnx_,
                      {.pixels = pixels_,
                       .count = kPictures,
                       .height = kSide,
                       .width = kSide,
                       .channels = channels},
                      options);
  }
  // The integer network's images against the graph's.
  void ExpectTheGraphsImages(const Result<ImportedModel>& imported, double std = 255) {
    ASSERT_TRUE(imported.ok()) << imported.status().ToString();
    EXPECT_TRUE(imported->restores);
    EXPECT_GT(imported->same_answers, 0.8);
    EXPECT_EQ(imported->network.labels, std::vector<std::string>{"added"});
    const auto radius = model::RestorationRadius(imported->network);
    ASSERT_TRUE(radius.ok()) << radius.status().ToString();
    EXPECT_EQ(*radius, 2);
    OnnxTensor input;
    input.shape = {kPictures, 1, kSide, kSide};
    for (const uint8_t pixel : pixels_) input.values.push_back(pixel / std);
    const auto values = RunGraph(*ParseOnnx(onnx_), std::move(input));
    ASSERT_TRUE(values.ok()) << values.status().ToString();
    const std::vector<double>& expected = values->at("y").values;
    const auto head = static_cast<model::LayerIndex>(imported->network.layers.size()) - 1;
    const std::vector<int32_t> added =
        runtime::testing::DirectLogitsOfBatch(imported->network, 0, head, pixels_, kPictures);
    ASSERT_EQ(added.size(), expected.size());
    int changed = 0;
    for (size_t i = 0; i < added.size(); ++i) {
      const int restored = model::RestoredPixel(pixels_[i], added[i]);
      const double level = std::clamp(expected[i] * std, 0.0, 255.0);
      EXPECT_NEAR(restored, level, 1.6) << i;
      changed += std::abs(level - pixels_[i]) > 5;
    }
    EXPECT_GT(changed, 100) << "the graph does something";
  }
  void ExpectRefused(const std::string& why, int channels = 1) {
    const auto refused = Import(255, channels).status();
    EXPECT_EQ(refused.code(), StatusCode::kUnimplemented) << refused.ToString();
    EXPECT_THAT(refused.ToString(), HasSubstr(why));
  }

  Rng rng_{5};
  GraphWriter graph_{"restorer"};
  std::vector<uint8_t> onnx_, pixels_;
};

TEST_F(LowerImageTest, TakesTheImageAndWhatIsAddedToIt) {
  Input();
  graph_.Node("Add", {"x", Map("x")}, "sum");
  Answer(Limits(0, 1));
  ExpectTheGraphsImages(Import());
}

TEST_F(LowerImageTest, TakesTheImageMinusWhatIsNotToBeInIt) {
  Input();
  graph_.Node("Sub", {"x", Map("x")}, "sum");
  Answer("sum");
  ExpectTheGraphsImages(Import());
}

TEST_F(LowerImageTest, TakesAnImageThatTheGraphScales) {
  Input();
  const std::string factor = graph_.Float("factor", {}, {4});
  const std::string scaled = graph_.Node("Mul", {"x", factor}, "scaled");
  graph_.Node("Add", {Map(scaled), scaled}, "sum");
  Answer("sum");
  const auto imported = Import(1020);  // x = pixel / 1020, scaled to pixel / 255
  ASSERT_TRUE(imported.ok()) << imported.status().ToString();
  EXPECT_GT(imported->same_answers, 0.8);
}

TEST_F(LowerImageTest, AnActivationBeforeTheSumIsKept) {
  Input();
  graph_.Node("Relu", {Map("x")}, "only_more");
  graph_.Node("Add", {"x", "only_more"}, "sum");
  Answer("sum");
  const auto imported = Import();
  ASSERT_TRUE(imported.ok()) << imported.status().ToString();
  EXPECT_GT(imported->same_answers, 0.8);
  const auto head = static_cast<model::LayerIndex>(imported->network.layers.size()) - 1;
  for (const int32_t added :
       runtime::testing::DirectLogitsOfBatch(imported->network, 0, head, pixels_, kPictures)) {
    EXPECT_GE(added, 0);
  }
}

TEST_F(LowerImageTest, TakesOneConvolutionOfTheImage) {
  Input();
  graph_.Node("Sub", {"x", Conv("x", 1, 1, "map", 0.2)}, "sum");
  Answer("sum");
  const auto imported = Import();
  ASSERT_TRUE(imported.ok()) << imported.status().ToString();
  ASSERT_EQ(imported->layers.size(), 3u) << "the convolution, and a head behind it";
  for (const LayerReport& layer : imported->layers) EXPECT_LT(layer.error, 0.02) << layer.name;
}

TEST_F(LowerImageTest, RefusesTheImageBeforeItIsTransposed) {
  graph_.Input("x", onnx::TensorProto::FLOAT, {-1, kSide, kSide, 1});
  graph_.Node("Transpose", {"x"}, "first");
  graph_.SetInts("perm", {0, 3, 1, 2});
  graph_.Node("Add", {"x", Map("first")}, "sum");
  Answer("sum");
  ExpectRefused("the image before it is transposed");
}

TEST_F(LowerImageTest, RefusesAMapAlone) {
  Input();
  Answer(Map("x"));
  ExpectRefused("its output is a map");
}

TEST_F(LowerImageTest, RefusesAClipOfPixels) {
  Input();
  graph_.Node("Add", {"x", Map("x")}, "sum");
  Answer(Limits(0.1, 0.9));
  ExpectRefused("a clip that pixels of 0 to 255 do not survive");
}

TEST_F(LowerImageTest, RefusesMoreBehindTheImage) {
  Input();
  graph_.Node("Add", {"x", Map("x")}, "sum");
  graph_.Node("Relu", {"sum"}, "more");
  Answer("more");
  // The sum is not the answer, so it is no restored image, and no residual either.
  EXPECT_FALSE(Import().ok());
}

TEST_F(LowerImageTest, RefusesColours) {
  Input(3);
  Conv("x", 3, 3, "map", 0.1);
  graph_.Node("Add", {"x", "map"}, "sum");
  Answer("sum");
  ExpectRefused("images are restored that have one channel", 3);
}

TEST_F(LowerImageTest, RefusesAMapOfAnotherSize) {
  Input();
  Conv("x", 1, 1, "map", 0.1, 2);
  graph_.Node("Add", {"x", "map"}, "sum");
  Answer("sum");
  ExpectRefused("with a map of their size");
}

}  // namespace
}  // namespace braid::convert
