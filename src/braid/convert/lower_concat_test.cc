// Graphs with concatenations, grouped and depthwise convolutions, and normalization of maps that no
// convolution can take it in: each becomes integers that stay close to the graph's own values.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "braid/convert/export_onnx.h"
#include "braid/convert/scheme_report.h"
#include "braid/convert/testing/small_graph.h"

namespace braid::convert {
namespace {

using ::testing::HasSubstr;
using testing::kInputs;
using testing::kSide;

class LowerConcatTest : public testing::SmallGraphTest {
 protected:
  std::string ReluOf(const std::string& input) {
    return graph_.Node("Relu", {input}, input + "_relu");
  }
  std::string Concat(const std::vector<std::string>& inputs, const std::string& name) {
    graph_.Node("Concat", inputs, name);
    graph_.SetInt("axis", 1);
    return name;
  }
  std::string Normalized(const std::string& input, int channels, const std::string& name) {
    const auto scale = Random(name + "_s", {channels}, -1, 2);
    const auto bias = Random(name + "_o", {channels}, -1, 1);
    const auto mean = Random(name + "_m", {channels}, -1, 1);
    const auto variance = Random(name + "_v", {channels}, 0.5, 2);
    return graph_.Node("BatchNormalization", {input, scale, bias, mean, variance}, name);
  }
  std::string GroupedConv(const std::string& input, int from, int to, int groups,
                          const std::string& name) {
    const std::string w = Random(name + "_w", {to, from / groups, 3, 3}, -0.5, 0.5);
    graph_.Node("Conv", {input, w}, name);
    graph_.SetInts("pads", {1, 1, 1, 1});
    graph_.SetInt("group", groups);
    return name;
  }
  static int Count(const model::Network& network, bool (*wanted)(const model::Layer&)) {
    return static_cast<int>(std::count_if(network.layers.begin(), network.layers.end(), wanted));
  }
  static bool ReadsSeveral(const model::Layer& layer) { return !layer.more_inputs.empty(); }
  static bool IsDepthwise(const model::Layer& layer) { return layer.filter_channels == 1; }
};

TEST_F(LowerConcatTest, JoinsParallelBranchesOfUnlikeRanges) {
  ChannelsFirst();
  const auto stem = ReluOf(Conv("x", kInputs, 6, "c1"));
  const auto a = ReluOf(Conv(stem, 6, 5, "a")), b = ReluOf(Conv(stem, 6, 8, "b"));
  // Eight times the other's values: the steps of the two maps differ as much.
  graph_.Float("eight", {}, {8});
  const auto c = ReluOf(graph_.Node("Mul", {Conv(stem, 6, 7, "c"), "eight"}, "c8"));
  const auto joined = Concat({a, b, c}, "joined");
  const auto last = ReluOf(Conv(joined, 20, 4, "d"));
  Answer(last, 4, 8);
  const Result<ImportedModel> imported = Import(128, 64);
  ExpectClose(imported, 7);
  EXPECT_EQ(Count(imported->network, ReadsSeveral), 1);
  const auto reader = std::find_if(imported->network.layers.begin(),
                                   imported->network.layers.end(), ReadsSeveral);
  EXPECT_EQ(reader->more_inputs.size(), 2u);
}

TEST_F(LowerConcatTest, LetsAHeadReadSeveralMapsAndTheImageBesideAMap) {
  ChannelsFirst();
  const auto a = ReluOf(Conv("x", kInputs, 5, "a"));
  const auto b = ReluOf(Conv(Concat({"x", a}, "with_image"), kInputs + 5, 6, "b"));
  Answer(Concat({a, b}, "joined"), 11, 8);
  const Result<ImportedModel> imported = Import(0, 255);
  ExpectClose(imported, 4);
  EXPECT_EQ(Count(imported->network, ReadsSeveral), 2);
  // The image is padded with its own 0, the map beside it with the integer 0.
  EXPECT_EQ(imported->network.input_padding, std::vector<uint8_t>(kInputs, 0));
  EXPECT_EQ(imported->padding_offset, 0);
}

// Normalization and ReLU before each convolution, of all maps so far (DenseNet).
TEST_F(LowerConcatTest, CarriesPreActivationsByDepthwiseLayers) {
  ChannelsFirst();
  std::string maps = Conv("x", kInputs, 6, "stem");
  int channels = 6;
  for (int i = 0; i < 3; ++i) {
    const std::string name = "block" + std::to_string(i);
    const auto active = ReluOf(Normalized(maps, channels, name + "_n"));
    const auto grown = Conv(active, channels, 4, name);
    maps = Concat({maps, grown}, name + "_joined");
    channels += 4;
  }
  const auto active = ReluOf(Normalized(maps, channels, "last_n"));
  graph_.Node("GlobalAveragePool", {active}, "mean");
  Answer("mean", channels, 1);
  const Result<ImportedModel> imported = Import(128, 64);
  ASSERT_TRUE(imported.ok()) << imported.status().ToString();
  // The first reads one map, the second two, the third three, the last four, of which one has no
  // other reader and takes the normalization in.
  EXPECT_EQ(Count(imported->network, IsDepthwise), 1 + 2 + 3 + 3);
  EXPECT_EQ(Count(imported->network, ReadsSeveral), 3);
  for (const LayerReport& layer : imported->layers) EXPECT_LT(layer.error, 0.08) << layer.name;
}

TEST_F(LowerConcatTest, TakesANormalizationIntoBranchesThatNothingElseReads) {
  ChannelsFirst();
  const auto stem = ReluOf(Conv("x", kInputs, 6, "c1"));
  const auto joined = Concat({Conv(stem, 6, 5, "a"), Conv(stem, 6, 7, "b")}, "joined");
  const auto last = Conv(ReluOf(Normalized(joined, 12, "n")), 12, 4, "c");
  Answer(ReluOf(last), 4, 8);
  const Result<ImportedModel> imported = Import(128, 64);
  ExpectClose(imported, 6);
  EXPECT_EQ(Count(imported->network, IsDepthwise), 0);
}

TEST_F(LowerConcatTest, PoolsEachMapOfAConcatenation) {
  ChannelsFirst();
  const auto a = ReluOf(Conv("x", kInputs, 5, "a")), b = ReluOf(Conv(a, 5, 6, "b"));
  const auto pooled = Pool(Concat({a, b}, "joined"), "pooled");
  Answer(ReluOf(Conv(pooled, 11, 4, "c")), 4, 4);
  ExpectClose(Import(128, 64), 7);
}

TEST_F(LowerConcatTest, NormalizesBehindAnActivation) {
  ChannelsFirst();
  const auto active = ReluOf(Conv("x", kInputs, 6, "c1"));
  const auto normalized = Normalized(active, 6, "n");
  Answer(ReluOf(Conv(normalized, 6, 4, "c2")), 4, 8);
  const Result<ImportedModel> imported = Import(128, 64);
  ExpectClose(imported, 5);
  EXPECT_EQ(Count(imported->network, IsDepthwise), 1);
}

TEST_F(LowerConcatTest, KeepsFiltersWhereChannelsAllowIt) {
  ChannelsFirst();
  auto map = ReluOf(Conv("x", kInputs, 6, "c1"));
  map = ReluOf(GroupedConv(map, 6, 6, 6, "depthwise"));     // 8 channels, filled up
  map = ReluOf(GroupedConv(map, 6, 12, 6, "two_a_filter"));  // 16, filled up
  map = ReluOf(GroupedConv(map, 12, 8, 2, "as_dense"));      // 16 are no two sixes
  map = ReluOf(GroupedConv(map, 8, 8, 2, "grouped"));
  Answer(map, 8, 8);
  const Result<ImportedModel> imported = Import(128, 64);
  ExpectClose(imported, 7);
  std::vector<int> widths;
  for (const model::Layer& layer : imported->network.layers) {
    widths.push_back(layer.filter_channels);
  }
  EXPECT_EQ(widths, (std::vector<int>{0, 0, 1, 1, 0, 4, 0}));
  EXPECT_EQ(imported->network.layers[3].group_channels, std::vector<int>{16});
}

TEST_F(LowerConcatTest, ExportsWhatItImported) {
  ChannelsFirst();
  const auto a = ReluOf(Conv("x", kInputs, 8, "a"));
  const auto b = ReluOf(GroupedConv(a, 8, 8, 8, "b"));
  Answer(ReluOf(Conv(Concat({a, b}, "joined"), 16, 4, "c")), 4, 8);
  const Result<ImportedModel> imported = Import(128, 64);
  ASSERT_TRUE(imported.ok()) << imported.status().ToString();
  for (const OnnxForm form : {OnnxForm::kInteger, OnnxForm::kQdq}) {
    const auto exported = ExportOnnx(imported->network, imported->network.points[0],
                                     {.form = form, .version = "test"});
    EXPECT_TRUE(exported.ok()) << exported.status().ToString();
  }
}

TEST_F(LowerConcatTest, RefusesWhatItCannotExpressByName) {
  const auto message = [&](const std::function<void()>& graph) {
    graph_ = GraphWriter("small");
    ChannelsFirst();
    graph();
    return Import(128, 64).status().message();
  };
  EXPECT_THAT(message([&] {
                const auto a = Conv("x", kInputs, 4, "a");
                Answer(Concat({a, a}, "twice"), 8, 8);
              }),
              HasSubstr("node 'twice' (Concat): the same map twice"));
  EXPECT_THAT(message([&] {
                const auto a = Conv("x", kInputs, 4, "a");
                graph_.Node("Concat", {a, Conv("x", kInputs, 4, "b")}, "rows");
                graph_.SetInt("axis", 2);
                Answer("rows", 4, 8);
              }),
              HasSubstr("node 'rows' (Concat): only of channels"));
  EXPECT_THAT(message([&] {
                const auto a = Conv("x", kInputs, 4, "a");
                Answer(Concat({a, Pool(Conv("x", kInputs, 4, "b"), "p")}, "unlike"), 8, 8);
              }),
              HasSubstr("node 'unlike' (Concat): its inputs have different sizes"));
  EXPECT_THAT(message([&] {
                const auto joined =
                    Concat({Conv("x", kInputs, 4, "a"), Conv("x", kInputs, 4, "b")}, "joined");
                graph_.Node("Add", {joined, Conv("x", kInputs, 8, "c")}, "sum");
                Answer("sum", 8, 8);
              }),
              HasSubstr("node 'sum' (Add): its input is a concatenation"));
}

TEST_F(LowerConcatTest, SchemesWithOneStepAMapRefuseAConcatenation) {
  ChannelsFirst();
  const auto a = ReluOf(Conv("x", kInputs, 5, "a")), b = ReluOf(GroupedConv(a, 5, 5, 5, "b"));
  Answer(Concat({a, b}, "joined"), 10, 8);
  const std::vector<uint8_t> pixels = Pixels();
  const Pictures pictures = PicturesOf(pixels);
  const std::vector<uint8_t> targets(static_cast<size_t>(pictures.count), 0);
  const TestPictures test{.pictures = pictures, .targets = targets};
  const std::vector<uint8_t> graph = graph_.Finish("test", "");
  const auto measure = [&](Scheme scheme) {
    return MeasureScheme(graph, pictures, test, Options(128, 64), scheme);
  };
  const Result<SchemeReport> bounded = measure(Scheme::kBounded);
  ASSERT_TRUE(bounded.ok()) << bounded.status().ToString();
  for (const auto& layer : bounded->layers) EXPECT_LT(layer.error, 0.05) << layer.name;
  EXPECT_THAT(measure(Scheme::kMinMax).status().message(), HasSubstr("with a concatenation"));
  EXPECT_THAT(measure(Scheme::kEntropy).status().message(), HasSubstr("with a concatenation"));
}

}  // namespace
}  // namespace braid::convert
