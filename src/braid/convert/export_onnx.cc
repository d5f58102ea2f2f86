#include "braid/convert/export_onnx.h"

#include <memory>

#include "braid/convert/graph_writer.h"
#include "braid/convert/integer_form.h"
#include "braid/convert/qdq_form.h"
#include "braid/model/layer_map.h"
#include "braid/model/restoration.h"

namespace braid::convert {
namespace {

using model::Network;
using model::OperatingPoint;

// Protobuf's own limit is 2 GiB. Each term holds its weights once; tables are small beside them.
constexpr int64_t kMostWeightBytes = int64_t{1} << 30;

std::unique_ptr<TermWriter> MakeWriter(OnnxForm form, const Network& network, int sub_network,
                                       int term, GraphWriter& graph) {
  switch (form) {
    case OnnxForm::kInteger:
      return std::make_unique<IntegerForm>(network, sub_network, term, graph);
    case OnnxForm::kQdq:
      return std::make_unique<QdqForm>(network, sub_network, term, graph);
  }
  return nullptr;
}

void ChannelsLast(GraphWriter& graph, const std::string& map, const std::string& name) {
  graph.Node("Transpose", {map}, name);
  graph.SetInts("perm", {0, 2, 3, 1});
}

// Equation 20 of docs/numerics.md: pixels [N,1,H,W] and what is added to them.
std::string RestoredInteger(GraphWriter& graph, const std::string& pixels,
                            const std::string& logits) {
  constexpr int32_t kOne = 1 << model::kAddedShift;
  const std::string most = graph.Int32("added_most", {}, {65536});
  const std::string least = graph.Int32("added_least", {}, {-65536});
  const std::string one = graph.Int32("added_one", {}, {kOne});
  const std::string half = graph.Int32("added_half", {}, {kOne / 2});
  const std::string raised = graph.Node("Max", {logits, least}, "added_raised");
  const std::string clamped = graph.Node("Min", {raised, most}, "added_clamped");
  const std::string sum = graph.Node("Add", {clamped, half}, "added_sum");
  const std::string rest = graph.Node("Mod", {sum, one}, "added_rest");
  const std::string even = graph.Node("Sub", {sum, rest}, "added_even");
  const std::string added = graph.Node("Div", {even, one}, "added");
  const std::string wide = graph.Node("Cast", {pixels}, "pixels_wide");
  graph.SetInt("to", onnx::TensorProto::INT32);
  const std::string moved = graph.Node("Add", {wide, added}, "moved");
  const std::string black = graph.Int32("black", {}, {0});
  const std::string white = graph.Int32("white", {}, {255});
  const std::string above = graph.Node("Max", {moved, black}, "moved_raised");
  const std::string within = graph.Node("Min", {above, white}, "moved_clamped");
  std::string restored = graph.Node("Cast", {within}, "restored_pixels");
  graph.SetInt("to", onnx::TensorProto::UINT8);
  return restored;
}

// The same, with halves rounded to even: what QuantizeLinear does, which also saturates.
std::string RestoredFloat(GraphWriter& graph, const std::string& pixels,
                          const std::string& logits) {
  const std::string level = graph.Float("level", {}, {1.0f / (1 << model::kAddedShift)});
  const std::string scale = graph.Float("pixel_scale", {}, {1});
  const std::string zero = graph.Uint8("pixel_zero", {}, {0});
  const std::string added = graph.Node("Mul", {logits, level}, "added");
  const std::string wide = graph.Node("DequantizeLinear", {pixels, scale, zero}, "pixels_wide");
  const std::string moved = graph.Node("Add", {wide, added}, "moved");
  return graph.Node("QuantizeLinear", {moved, scale, zero}, "restored_pixels");
}

}  // namespace

Result<std::vector<uint8_t>> ExportOnnx(const Network& network, const OperatingPoint& point,
                                        const OnnxOptions& options) {
  int64_t weights = 0;
  for (const model::Layer& layer : network.layers) {
    weights += static_cast<int64_t>(layer.weights.size());
  }
  if (weights * static_cast<int64_t>(point.terms.size()) > kMostWeightBytes) {
    return ResourceExhausted("an ONNX file of this operating point would pass 2 GiB");
  }
  GraphWriter graph(network.name + " " + point.name);
  const auto classes = static_cast<int64_t>(network.labels.size());
  const model::Layer& head = network.layers[static_cast<size_t>(point.head)];
  const bool map = AnswersWithMap(head);
  const bool last = static_cast<size_t>(point.head) + 1 == network.layers.size();
  const bool restores = map && last && model::RestorationRadius(network).ok();
  const int64_t height = restores ? -1 : network.input_h;
  const int64_t width = restores ? -1 : network.input_w;
  graph.Input("input", onnx::TensorProto::UINT8, {-1, height, width, network.input_c});
  const std::string pixels = graph.Node("Transpose", {"input"}, "pixels");
  graph.SetInts("perm", {0, 3, 1, 2});

  std::string sum;
  for (size_t t = 0; t < point.terms.size(); ++t) {
    const auto writer =
        MakeWriter(options.form, network, point.terms[t], static_cast<int>(t), graph);
    BRAID_ASSIGN_OR_RETURN(const std::string logits, writer->Write(pixels, point.head));
    sum = t == 0 ? logits : graph.Node("Add", {sum, logits}, "sum" + std::to_string(t));
  }
  const auto type =
      options.form == OnnxForm::kInteger ? onnx::TensorProto::INT32 : onnx::TensorProto::FLOAT;
  if (map) {
    ChannelsLast(graph, sum, "logits");
    graph.Output("logits", type,
                 {-1, restores ? -1 : head.out_h, restores ? -1 : head.out_w, classes});
  } else {
    graph.Node("Identity", {sum}, "logits");
    graph.Node("ArgMax", {sum}, "class");
    graph.SetInt("axis", 1);
    graph.SetInt("keepdims", 0);
    graph.Output("logits", type, {-1, classes});
    graph.Output("class", onnx::TensorProto::INT64, {-1});
  }
  if (restores) {
    const std::string restored = options.form == OnnxForm::kInteger
                                     ? RestoredInteger(graph, pixels, sum)
                                     : RestoredFloat(graph, pixels, sum);
    ChannelsLast(graph, restored, "restored");
    graph.Output("restored", onnx::TensorProto::UINT8, {-1, -1, -1, 1});
  }
  return graph.Finish(options.version,
                      "Operating point " + point.name + " of the Braid model " + network.name);
}

}  // namespace braid::convert
