// ONNX classifiers of another maker, and broken ones, on their way to integer models.
#include "braid/convert/import_onnx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "braid/base/file.h"
#include "braid/base/rng.h"
#include "braid/convert/graph_run.h"
#include "braid/convert/onnx_graph.h"
#include "braid/convert/onnx_proto.h"
#include "braid/data/dataset.h"
#include "braid/model/file.h"
#include "braid/runtime/testing/direct_network.h"

namespace braid::convert {
namespace {

using ::testing::HasSubstr;

// Trained and exported by PyTorch: testdata/make_fixture.py.
std::vector<uint8_t> Fixture() {
  return *ReadFile(std::string(BRAID_TESTDATA) + "/digits_resnet.onnx");
}

data::Dataset Digits(const std::string& split, uint64_t seed, int count) {
  data::LoadOptions options;
  options.seed = seed;
  options.count = count;
  return *data::Load("digits", split, options);
}

Pictures PicturesOf(const data::Dataset& set) {
  return {.pixels = set.images,
          .count = set.count,
          .height = set.height,
          .width = set.width,
          .channels = set.channels};
}

ImportOptions FixtureOptions() {
  ImportOptions options;
  options.mean = {128};
  options.std = {64};
  options.name = "digits_resnet";
  options.source = "digits_resnet.onnx";
  options.calibration = "digits";
  return options;
}

int BestOf(auto begin, auto end) { return static_cast<int>(std::max_element(begin, end) - begin); }

TEST(ImportOnnxTest, KeepsTheAccuracyOfAnotherToolsClassifier) {
  const data::Dataset train = Digits("train", 21, 64), test = Digits("test", 99, 100);
  for (const bool step_per_layer : {false, true}) {
    ImportOptions options = FixtureOptions();
    options.step_per_layer = step_per_layer;
    const Result<ImportedModel> imported = ImportOnnx(Fixture(), PicturesOf(train), options);
    ASSERT_TRUE(imported.ok()) << imported.status().ToString();
    ASSERT_TRUE(model::Serialize(imported->network).ok());
    EXPECT_EQ(imported->padding_offset, 0);

    OnnxTensor input;
    input.shape = {test.count, 1, 28, 28};
    for (const uint8_t pixel : test.images) input.values.push_back((pixel - 128) / 64.0);
    const auto values = *RunGraph(*ParseOnnx(Fixture()), std::move(input));
    const std::vector<double>& scores = values.at("scores").values;
    const auto head = static_cast<model::LayerIndex>(imported->network.layers.size()) - 1;
    const std::vector<int32_t> logits = runtime::testing::DirectLogitsOfBatch(
        imported->network, 0, head, test.images, test.count);
    int right = 0, float_right = 0, same = 0;
    for (int n = 0; n < test.count; ++n) {
      const int best = BestOf(logits.begin() + n * 10, logits.begin() + (n + 1) * 10);
      const int float_best = BestOf(scores.begin() + n * 10, scores.begin() + (n + 1) * 10);
      const int target = test.targets[static_cast<size_t>(n)];
      right += best == target ? 1 : 0;
      float_right += float_best == target ? 1 : 0;
      same += best == float_best ? 1 : 0;
    }
    EXPECT_GE(float_right, 95);
    EXPECT_GE(right, float_right - 1);
    EXPECT_GE(same, 99);
    EXPECT_GE(imported->same_answers, 0.96);
    for (const LayerReport& layer : imported->layers) {
      EXPECT_LT(layer.error, 0.12) << layer.name;
      EXPECT_LT(layer.clipped_share, 0.005) << layer.name;
    }
  }
}

TEST(ImportOnnxTest, TakesWhatItMustFold) {
  const data::Dataset train = Digits("train", 21, 8);
  const Result<ImportedModel> imported =
      ImportOnnx(Fixture(), PicturesOf(train), FixtureOptions());
  ASSERT_TRUE(imported.ok()) << imported.status().ToString();
  std::vector<std::string> ops;
  for (const LayerReport& layer : imported->layers) ops.push_back(layer.op);
  // The shortcut behind a pool is carried by an identity; the one through a convolution by itself.
  EXPECT_THAT(ops, testing::UnorderedElementsAre("input", "conv", "max pool", "conv", "identity",
                                                 "conv + shortcut", "conv", "conv",
                                                 "conv + shortcut", "conv", "mean", "linear"));
  for (const LayerReport& layer : imported->layers) {
    EXPECT_LE(layer.bound, 100) << layer.name;
  }
}

// The fixture changed.
Status ErrorOf(const std::function<void(onnx::GraphProto&)>& change,
               const ImportOptions& options = FixtureOptions()) {
  const std::vector<uint8_t> good = Fixture();
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromArray(good.data(), static_cast<int>(good.size())));
  change(*model.mutable_graph());
  std::vector<uint8_t> bytes(model.ByteSizeLong());
  model.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
  const data::Dataset train = Digits("train", 1, 2);
  return ImportOnnx(bytes, PicturesOf(train), options).status();
}

onnx::NodeProto& NodeOf(onnx::GraphProto& graph, const std::string& op) {
  for (onnx::NodeProto& node : *graph.mutable_node()) {
    if (node.op_type() == op) return node;
  }
  ADD_FAILURE() << "no node " << op;
  return *graph.mutable_node(0);
}

TEST(ImportOnnxTest, RefusesByNameAndNode) {
  const auto message = [](const std::function<void(onnx::GraphProto&)>& change) {
    return ErrorOf(change).message();
  };
  EXPECT_THAT(message([](auto& g) { NodeOf(g, "MaxPool").set_op_type("LpPool"); }),
              HasSubstr("(LpPool): import does not take this operator"));
  EXPECT_THAT(message([](auto& g) { NodeOf(g, "Relu").set_op_type("Concat"); }),
              HasSubstr("(Concat): only of channels"));
  EXPECT_THAT(message([](auto& g) {
                onnx::AttributeProto* ceil = NodeOf(g, "MaxPool").add_attribute();
                ceil->set_name("ceil_mode");
                ceil->set_type(onnx::AttributeProto::INT);
                ceil->set_i(1);
              }),
              HasSubstr("(MaxPool): ceil_mode"));
  EXPECT_THAT(message([](auto& g) { NodeOf(g, "Conv").set_input(1, "image"); }),
              HasSubstr("(Conv): its weights are no constant"));
  EXPECT_THAT(message([](auto& g) {
                g.mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()
                    ->mutable_dim(1)->set_dim_value(3);
              }),
              HasSubstr("is not that of the pictures"));
}

TEST(ImportOnnxTest, RefusesBadOptions) {
  ImportOptions options = FixtureOptions();
  options.std = {0};
  EXPECT_THAT(ErrorOf([](auto&) {}, options).message(), HasSubstr("std"));
  options = FixtureOptions();
  options.mean = {1, 2};
  EXPECT_THAT(ErrorOf([](auto&) {}, options).message(), HasSubstr("mean and std"));
  options = FixtureOptions();
  options.labels = {"a", "b"};
  EXPECT_THAT(ErrorOf([](auto&) {}, options).message(), HasSubstr("10 classes"));
  const data::Dataset none = Digits("train", 1, 1);
  Pictures pictures = PicturesOf(none);
  pictures.count = 0;
  EXPECT_THAT(ImportOnnx(Fixture(), pictures, FixtureOptions()).status().message(),
              HasSubstr("no calibration pictures"));
}

// Whatever changes in the file: it is refused, or the model that comes out is valid.
TEST(ImportOnnxTest, SurvivesForgedBytes) {
  const std::vector<uint8_t> good = Fixture();
  const data::Dataset train = Digits("train", 1, 1);
  Rng rng(11);
  int refused = 0;
  for (int round = 0; round < 60; ++round) {
    std::vector<uint8_t> bytes = good;
    for (int i = 0; i < 3; ++i) {
      // The structure lies mostly at the file's beginning; weights follow.
      const size_t most = rng.Below(2) == 0 ? std::min<size_t>(bytes.size(), 4000) : bytes.size();
      bytes[static_cast<size_t>(rng.Below(most))] = static_cast<uint8_t>(rng.Next());
    }
    const Result<ImportedModel> imported =
        ImportOnnx(bytes, PicturesOf(train), FixtureOptions());
    if (!imported.ok()) {
      ++refused;
    } else {
      EXPECT_TRUE(model::Validate(imported->network).ok());
    }
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace braid::convert
