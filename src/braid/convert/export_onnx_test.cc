// Exported graphs computed by a second program (graph_run.cc) against the definition of the
// network. ONNX Runtime itself is asked by onnxruntime_check.py.
#include "braid/convert/export_onnx.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "braid/convert/graph_run.h"
#include "braid/convert/onnx_graph.h"
#include "braid/model/file.h"
#include "braid/model/layer_map.h"
#include "braid/model/restoration.h"
#include "braid/model/test_network.h"
#include "braid/runtime/testing/direct_network.h"
#include "braid/runtime/testing/random_network.h"

namespace braid::convert {
namespace {

using model::Network;
using model::OperatingPoint;
using runtime::testing::RandomNetwork;

constexpr int kImages = 3;

// The point's logits by the definition, [kImages, classes] or [kImages, H, W, classes].
std::vector<int32_t> Expected(const Network& network, const OperatingPoint& point,
                              const std::vector<uint8_t>& pixels) {
  const model::Layer& head = network.layers[static_cast<size_t>(point.head)];
  std::vector<int32_t> sum(
      kImages * network.labels.size() * static_cast<size_t>(head.out_h * head.out_w), 0);
  for (const int term : point.terms) {
    const auto logits =
        runtime::testing::DirectLogitsOfBatch(network, term, point.head, pixels, kImages);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += logits[i];
  }
  return sum;
}

std::map<std::string, OnnxTensor> RunExported(const Network& network, const OperatingPoint& point,
                                              OnnxForm form, const std::vector<uint8_t>& pixels) {
  const Result<std::vector<uint8_t>> bytes =
      ExportOnnx(network, point, {.form = form, .version = "test"});
  EXPECT_TRUE(bytes.ok()) << bytes.status().ToString();
  const Result<OnnxGraph> graph = ParseOnnx(*bytes);
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  EXPECT_EQ(graph->outputs[0], "logits");
  OnnxTensor input;
  input.shape = {kImages, network.input_h, network.input_w, network.input_c};
  input.values.assign(pixels.begin(), pixels.end());
  input.integer = true;
  const auto values = RunGraph(*graph, std::move(input));
  EXPECT_TRUE(values.ok()) << values.status().ToString();
  return *values;
}

void ExpectEqualLogits(const Network& network) {
  const std::vector<uint8_t> pixels = runtime::testing::RandomPixels(1, network, kImages);
  for (const OperatingPoint& point : network.points) {
    const std::vector<int32_t> expected = Expected(network, point, pixels);
    auto values = RunExported(network, point, OnnxForm::kInteger, pixels);
    const std::vector<double>& logits = values["logits"].values;
    ASSERT_EQ(logits.size(), expected.size()) << point.name;
    for (size_t i = 0; i < expected.size(); ++i) ASSERT_EQ(logits[i], expected[i]) << point.name;
    const size_t classes = network.labels.size();
    const bool map = expected.size() != kImages * classes;
    EXPECT_EQ(values.contains("class"), !map);
    for (size_t n = 0; n < kImages && !map; ++n) {
      const auto row = expected.begin() + static_cast<ptrdiff_t>(n * classes);
      EXPECT_EQ(values["class"].values[n],
                std::max_element(row, row + static_cast<ptrdiff_t>(classes)) - row);
    }
    // Nothing on the way may need more than 32 bits.
    for (const auto& [name, value] : values) {
      if (!value.integer) continue;
      for (const double v : value.values) ASSERT_LE(std::abs(v), 2147483648.0) << name;
    }
  }
}

TEST(ExportOnnxTest, TheIntegerFormGivesTheSameLogits) {
  ExpectEqualLogits(model::MakeTestNetwork());
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    ExpectEqualLogits(RandomNetwork(seed, {.groups = 2, .exits = true, .max_side = 9}));
  }
}

// Maps of both kinds among those of one layer, and filters that differ between channel groups.
TEST(ExportOnnxTest, TheIntegerFormJoinsMapsAndKeepsFilters) {
  ExpectEqualLogits(model::MakeFormsNetwork());
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    ExpectEqualLogits(RandomNetwork(
        seed,
        {.groups = 2, .exits = true, .concatenations = true, .filters = true, .max_side = 9}));
  }
}

TEST(ExportOnnxTest, TheIntegerFormPadsTheImageAsTheNetworkDoes) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    Network network = runtime::testing::SmallImageNetwork(seed, 2, 4);
    network.input_padding = {static_cast<uint8_t>(seed * 15)};
    ExpectEqualLogits(network);
  }
}

TEST(ExportOnnxTest, RefusesToPadTheImageWithAColour) {
  Network network = RandomNetwork(3, {.groups = 1, .max_side = 9});
  for (uint64_t seed = 4; network.input_c < 2; ++seed) {
    network = RandomNetwork(seed, {.groups = 1, .max_side = 9});
  }
  network.layers[1].window.pad_top = 1;
  network.input_padding.assign(static_cast<size_t>(network.input_c), 1);
  network.input_padding[0] = 2;
  const auto refused =
      ExportOnnx(network, network.points[0], {.form = OnnxForm::kInteger, .version = "test"});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kUnimplemented);
}

TEST(ExportOnnxTest, TheIntegerFormTakesHeadsWithAWindow) {
  int maps = 0;
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    const Network network = RandomNetwork(
        seed,
        {.groups = 2, .exits = true, .concatenations = true, .map_heads = true, .max_side = 9});
    ExpectEqualLogits(network);
    maps += model::HasMapHead(network);
  }
  EXPECT_GT(maps, 5);
  // A window that fits once, and leaves a row and a column out.
  Network one = runtime::testing::RestoringNetwork(5, 3, 4, 4);
  model::Layer& head = one.layers.back();
  head.window.pad_top = head.window.pad_left = head.window.pad_bottom = head.window.pad_right = 0;
  head.window.stride_h = head.window.stride_w = 2;
  head.out_h = head.out_w = 1;
  ASSERT_TRUE(model::Validate(one).ok()) << model::Validate(one).ToString();
  ExpectEqualLogits(one);
}

TEST(ExportOnnxTest, ARestorersImageIsInTheGraph) {
  const Network network = runtime::testing::RestoringNetwork(2, 4, 6, 5);
  const std::vector<uint8_t> pixels = runtime::testing::RandomPixels(1, network, kImages);
  const std::vector<int32_t> added = Expected(network, network.points[0], pixels);
  ASSERT_EQ(added.size(), pixels.size());
  int changed = 0, saturated = 0;
  for (const OnnxForm form : {OnnxForm::kInteger, OnnxForm::kQdq}) {
    auto values = RunExported(network, network.points[0], form, pixels);
    const std::vector<double>& restored = values["restored"].values;
    ASSERT_EQ(restored.size(), pixels.size());
    EXPECT_EQ(values["restored"].shape, (std::vector<int64_t>{kImages, 6, 5, 1}));
    for (size_t i = 0; i < pixels.size(); ++i) {
      const int expected = model::RestoredPixel(pixels[i], added[i]);
      changed += expected != pixels[i];
      saturated += expected == 0 || expected == 255;
      if (form == OnnxForm::kInteger) {
        EXPECT_EQ(values["logits"].values[i], added[i]);
        EXPECT_EQ(restored[i], expected);
      } else {
        EXPECT_NEAR(restored[i], expected, 3);
      }
    }
  }
  EXPECT_GT(changed, 30);
  EXPECT_GT(saturated, 0);
}

TEST(ExportOnnxTest, TheIntegerFormAddsTerms) {
  const Network network = model::MakeTestNetwork(5);
  ASSERT_GE(model::FindPoint(network, "g0,1"), 0);
  ExpectEqualLogits(network);
}

// Roundings differ by a step now and then; over a few layers logits stay close to the integers'.
TEST(ExportOnnxTest, TheQdqFormComesCloseToTheSameLogits) {
  double worst = 0;
  int compared = 0;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    Network network = runtime::testing::SmallImageNetwork(seed, 2, 4);
    if (seed % 2 == 0) network.input_padding = {static_cast<uint8_t>(seed * 10)};
    const std::vector<uint8_t> pixels = runtime::testing::RandomPixels(seed, network, kImages);
    for (const OperatingPoint& point : network.points) {
      const std::vector<int32_t> expected = Expected(network, point, pixels);
      auto values = RunExported(network, point, OnnxForm::kQdq, pixels);
      const std::vector<double>& logits = values["logits"].values;
      ASSERT_EQ(logits.size(), expected.size());
      const auto [low, high] = std::minmax_element(expected.begin(), expected.end());
      const double spread = std::max(1.0, static_cast<double>(*high) - *low);
      for (size_t i = 0; i < logits.size(); ++i) {
        worst = std::max(worst, std::abs(logits[i] - expected[i]) / spread);
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 100);
  EXPECT_LT(worst, 0.05) << "of the logits' spread";
}

TEST(ExportOnnxTest, TheQdqFormTakesEveryOperator) {
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    const Network network = RandomNetwork(seed, {.groups = 2,
                                                 .exits = true,
                                                 .concatenations = seed % 2 == 0,
                                                 .filters = seed % 2 == 0,
                                                 .max_side = 9});
    const std::vector<uint8_t> pixels = runtime::testing::RandomPixels(seed, network, kImages);
    for (const OperatingPoint& point : network.points) {
      const Result<std::vector<uint8_t>> bytes =
          ExportOnnx(network, point, {.form = OnnxForm::kQdq, .version = "test"});
      if (!bytes.ok()) {
        EXPECT_EQ(bytes.status().code(), StatusCode::kUnimplemented) << bytes.status().ToString();
        continue;
      }
      auto values = RunExported(network, point, OnnxForm::kQdq, pixels);
      EXPECT_EQ(values["logits"].values.size(), kImages * network.labels.size());
      for (const double v : values["logits"].values) EXPECT_TRUE(std::isfinite(v));
    }
  }
}

TEST(ExportOnnxTest, TheQdqFormJoinsMapsCloseToTheSameLogits) {
  const Network network = runtime::testing::ConcatenatingNetwork(3, 4);
  const std::vector<uint8_t> pixels = runtime::testing::RandomPixels(3, network, kImages);
  double worst = 0;
  for (const OperatingPoint& point : network.points) {
    const std::vector<int32_t> expected = Expected(network, point, pixels);
    auto values = RunExported(network, point, OnnxForm::kQdq, pixels);
    const std::vector<double>& logits = values["logits"].values;
    ASSERT_EQ(logits.size(), expected.size());
    const auto [low, high] = std::minmax_element(expected.begin(), expected.end());
    for (size_t i = 0; i < logits.size(); ++i) {
      worst =
          std::max(worst, std::abs(logits[i] - expected[i]) / (static_cast<double>(*high) - *low));
    }
  }
  EXPECT_LT(worst, 0.05) << "of the logits' spread";
}

TEST(ExportOnnxTest, TheSamePointGivesTheSameBytes) {
  const Network network = model::MakeTestNetwork();
  for (const OnnxForm form : {OnnxForm::kInteger, OnnxForm::kQdq}) {
    const OnnxOptions options{.form = form, .version = "test"};
    EXPECT_EQ(*ExportOnnx(network, network.points[0], options),
              *ExportOnnx(network, network.points[0], options));
  }
}

}  // namespace
}  // namespace braid::convert
