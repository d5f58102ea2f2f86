// Broken and hostile ONNX files: clear errors, no crash.
#include "braid/convert/onnx_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "braid/base/rng.h"
#include "braid/convert/export_onnx.h"
#include "braid/convert/graph_run.h"
#include "braid/convert/onnx_proto.h"
#include "braid/model/test_network.h"

namespace braid::convert {
namespace {

using ::testing::HasSubstr;

std::vector<uint8_t> GoodFile() {
  const model::Network network = model::MakeTestNetwork();
  return *ExportOnnx(network, network.points[2], {.form = OnnxForm::kQdq, .version = "test"});
}

// The good file, changed.
Status ErrorOf(const std::function<void(onnx::ModelProto&)>& change) {
  const std::vector<uint8_t> good = GoodFile();
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromArray(good.data(), static_cast<int>(good.size())));
  change(model);
  std::vector<uint8_t> bytes(model.ByteSizeLong());
  model.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
  const Result<OnnxGraph> graph = ParseOnnx(bytes);
  if (!graph.ok()) return graph.status();
  OnnxTensor input;
  input.shape = {1, 6, 6, 1};
  input.values.assign(36, 100);
  return RunGraph(*graph, std::move(input)).status();
}

TEST(OnnxGraphTest, ReadsAGoodFile) {
  EXPECT_TRUE(ErrorOf([](onnx::ModelProto&) {}).ok());
  EXPECT_FALSE(ParseOnnx({}).ok());
  const std::vector<uint8_t> text = {'n', 'o', 't', ' ', 'o', 'n', 'n', 'x'};
  EXPECT_EQ(ParseOnnx(text).status().message(), "not an ONNX file");
}

TEST(OnnxGraphTest, NamesWhatIsWrong) {
  const auto message = [](const std::function<void(onnx::ModelProto&)>& change) {
    return ErrorOf(change).message();
  };
  EXPECT_THAT(message([](auto& m) { m.clear_graph(); }), HasSubstr("no graph"));
  EXPECT_THAT(message([](auto& m) { m.mutable_opset_import(0)->set_version(6); }),
              HasSubstr("opset 6"));
  EXPECT_THAT(message([](auto& m) { m.mutable_graph()->mutable_node(3)->set_domain("com.x"); }),
              HasSubstr("of domain 'com.x'"));
  EXPECT_THAT(message([](auto& m) { m.mutable_graph()->mutable_node(3)->set_op_type("Loop"); }),
              HasSubstr("(Loop): this operator is not supported"));
  EXPECT_THAT(message([](auto& m) { m.mutable_graph()->mutable_node(0)->set_input(0, "nobody"); }),
              HasSubstr("'nobody' is defined by no earlier node"));
  EXPECT_THAT(message([](auto& m) { m.mutable_graph()->mutable_node(1)->clear_output(); }),
              HasSubstr("no output"));
  EXPECT_THAT(message([](auto& m) {
                m.mutable_graph()->mutable_node(1)->set_output(0, "pixels");
              }),
              HasSubstr("'pixels' is defined twice"));
  EXPECT_THAT(message([](auto& m) { *m.mutable_graph()->add_input() = m.graph().input(0); }),
              HasSubstr("more than one input"));
  EXPECT_THAT(message([](auto& m) { m.mutable_graph()->clear_output(); }), HasSubstr("no output"));
  EXPECT_THAT(message([](auto& m) { m.mutable_graph()->mutable_output(0)->set_name("x"); }),
              HasSubstr("no node makes it"));
}

TEST(OnnxGraphTest, NamesBadTensors) {
  const auto message = [](const std::function<void(onnx::TensorProto&)>& change) {
    return ErrorOf([&](onnx::ModelProto& m) {
             for (onnx::TensorProto& tensor : *m.mutable_graph()->mutable_initializer()) {
               if (tensor.dims_size() == 4) return change(tensor);
             }
           }).message();
  };
  EXPECT_THAT(message([](auto& t) { t.set_dims(0, 5); }), HasSubstr("as many values as its shape"));
  EXPECT_THAT(message([](auto& t) { t.set_dims(0, -1); }), HasSubstr("negative or huge"));
  EXPECT_THAT(message([](auto& t) {
                t.set_dims(0, int64_t{1} << 25);
                t.set_dims(1, int64_t{1} << 25);
              }),
              HasSubstr("2^26 elements"));
  EXPECT_THAT(message([](auto& t) { t.set_data_type(onnx::TensorProto::STRING); }),
              HasSubstr("type 8"));
  EXPECT_THAT(message([](auto& t) { t.set_data_location(onnx::TensorProto::EXTERNAL); }),
              HasSubstr("another file"));
  EXPECT_THAT(message([](auto& t) {
                t.set_data_type(onnx::TensorProto::FLOAT);
                t.set_dims(0, 1), t.set_dims(1, 1), t.set_dims(2, 1), t.set_dims(3, 1);
                t.set_raw_data(std::string("\x00\x00\xc0\x7f", 4));
              }),
              HasSubstr("no number"));
}

// Whatever changes in the bytes: a file is refused, or read and run, or its run is refused.
TEST(OnnxGraphTest, SurvivesForgedBytes) {
  const std::vector<uint8_t> good = GoodFile();
  Rng rng(7);
  int refused = 0;
  for (int round = 0; round < 4000; ++round) {
    std::vector<uint8_t> bytes = good;
    const int changes = static_cast<int>(rng.Between(1, 3));
    for (int i = 0; i < changes; ++i) {
      bytes[static_cast<size_t>(rng.Below(bytes.size()))] = static_cast<uint8_t>(rng.Next());
    }
    if (rng.Below(8) == 0) bytes.resize(static_cast<size_t>(rng.Below(bytes.size())));
    const Result<OnnxGraph> graph = ParseOnnx(bytes);
    if (!graph.ok()) {
      ++refused;
      continue;
    }
    OnnxTensor input;
    input.shape = {1, 6, 6, 1};
    input.values.assign(36, 100);
    refused += RunGraph(*graph, std::move(input)).ok() ? 0 : 1;
  }
  EXPECT_GT(refused, 100);
}

// Values that no integer type holds must not be converted to one.
TEST(OnnxGraphTest, RefusesShapesAndPadsThatAreNoNumbers) {
  OnnxTensor map;
  map.shape = {1, 1, 2, 2};
  map.values.assign(4, 1);
  OnnxNode reshape, pad;
  reshape.op = "Reshape";
  pad.op = "Pad";
  for (const double value : {std::nan(""), 1e300, -1e300}) {
    OnnxTensor extents;
    extents.shape = {2};
    extents.values = {1, value};
    const auto shaped = RunNode(reshape, {&map, &extents});
    EXPECT_EQ(shaped.status().code(), StatusCode::kInvalidArgument) << value;
    extents.shape = {8};
    extents.values = {0, 0, value, 0, 0, 0, 0, 0};
    const auto padded = RunNode(pad, {&map, &extents});
    EXPECT_EQ(padded.status().code(), StatusCode::kInvalidArgument) << value;
  }
}

}  // namespace
}  // namespace braid::convert
