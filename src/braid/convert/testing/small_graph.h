// Small graphs in the forms in which exporters write classifiers, imported with pictures of noise.
// Layer: convert, tests.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "braid/base/rng.h"
#include "braid/convert/graph_writer.h"
#include "braid/convert/import_onnx.h"

namespace braid::convert::testing {

inline constexpr int kSide = 8, kInputs = 3, kPictures = 8;

class SmallGraphTest : public ::testing::Test {
 protected:
  std::string Random(const std::string& name, const std::vector<int64_t>& shape, double low,
                     double high) {
    int64_t elements = 1;
    for (const int64_t extent : shape) elements *= extent;
    std::vector<float> values;
    for (int64_t i = 0; i < elements; ++i) {
      values.push_back(static_cast<float>(low + (high - low) * rng_.Uniform()));
    }
    return graph_.Float(name, shape, values);
  }
  std::string Conv(const std::string& input, int from, int to, const std::string& name) {
    const std::string w = Random(name + "_w", {to, from, 3, 3}, -0.5, 0.5);
    const std::string b = Random(name + "_b", {to}, -0.2, 0.2);
    graph_.Node("Conv", {input, w, b}, name);
    graph_.SetInts("pads", {1, 1, 1, 1});
    return name;
  }
  std::string Pool(const std::string& input, const std::string& name) {
    graph_.Node("MaxPool", {input}, name);
    graph_.SetInts("kernel_shape", {2, 2});
    graph_.SetInts("strides", {2, 2});
    return name;
  }
  void ChannelsFirst() { graph_.Input("x", onnx::TensorProto::FLOAT, {-1, kInputs, kSide, kSide}); }
  // A Gemm over `input`, [N,C,side,side], as the answer.
  void Answer(const std::string& input, int channels, int side) {
    const std::string flat = graph_.Node("Flatten", {input}, "flat");
    const std::string w = Random("out_w", {int64_t{channels} * side * side, 5}, -0.3, 0.3);
    const std::string b = Random("out_b", {5}, -0.5, 0.5);
    graph_.Node("Gemm", {flat, w, b}, "scores");
    graph_.Node("Softmax", {"scores"}, "probabilities");
    graph_.Output("probabilities", onnx::TensorProto::FLOAT, {-1, 5});
  }

  std::vector<uint8_t> Pixels() {
    std::vector<uint8_t> pixels;
    for (int i = 0; i < kPictures * kSide * kSide * kInputs; ++i) {
      pixels.push_back(static_cast<uint8_t>(rng_.Between(0, 255)));
    }
    return pixels;
  }
  static Pictures PicturesOf(const std::vector<uint8_t>& pixels) {
    return {.pixels = pixels,
            .count = kPictures,
            .height = kSide,
            .width = kSide,
            .channels = kInputs};
  }
  static ImportOptions Options(double mean, double std) {
    ImportOptions options;
    options.mean = {mean};
    options.std = {std};
    options.rank = 1;
    options.name = "small";
    return options;
  }
  Result<ImportedModel> Import(double mean, double std) {
    const std::vector<uint8_t> pixels = Pixels();
    return ImportOnnx(graph_.Finish("test", ""), PicturesOf(pixels), Options(mean, std));
  }
  void ExpectClose(const Result<ImportedModel>& imported, size_t layers) {
    ASSERT_TRUE(imported.ok()) << imported.status().ToString();
    EXPECT_EQ(imported->layers.size(), layers);
    for (const LayerReport& layer : imported->layers) EXPECT_LT(layer.error, 0.05) << layer.name;
  }

  Rng rng_{5};
  GraphWriter graph_{"small"};
};

}  // namespace braid::convert::testing
