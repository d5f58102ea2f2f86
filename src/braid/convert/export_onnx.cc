#include "braid/convert/export_onnx.h"

#include <memory>

#include "braid/convert/graph_writer.h"
#include "braid/convert/integer_form.h"
#include "braid/convert/qdq_form.h"
#include "braid/model/layer_map.h"

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

}  // namespace

Result<std::vector<uint8_t>> ExportOnnx(const Network& network, const OperatingPoint& point,
                                        const OnnxOptions& options) {
  if (model::HasMapHead(network)) {
    return Unimplemented("ONNX of a model that answers with a map");
  }
  int64_t weights = 0;
  for (const model::Layer& layer : network.layers) {
    weights += static_cast<int64_t>(layer.weights.size());
  }
  if (weights * static_cast<int64_t>(point.terms.size()) > kMostWeightBytes) {
    return ResourceExhausted("an ONNX file of this operating point would pass 2 GiB");
  }
  GraphWriter graph(network.name + " " + point.name);
  const auto classes = static_cast<int64_t>(network.labels.size());
  graph.Input("input", onnx::TensorProto::UINT8,
              {-1, network.input_h, network.input_w, network.input_c});
  const std::string pixels = graph.Node("Transpose", {"input"}, "pixels");
  graph.SetInts("perm", {0, 3, 1, 2});

  std::string sum;
  for (size_t t = 0; t < point.terms.size(); ++t) {
    const auto writer =
        MakeWriter(options.form, network, point.terms[t], static_cast<int>(t), graph);
    BRAID_ASSIGN_OR_RETURN(const std::string logits, writer->Write(pixels, point.head));
    sum = t == 0 ? logits : graph.Node("Add", {sum, logits}, "sum" + std::to_string(t));
  }
  graph.Node("Identity", {sum}, "logits");
  graph.Node("ArgMax", {sum}, "class");
  graph.SetInt("axis", 1);
  graph.SetInt("keepdims", 0);
  graph.Output("logits",
               options.form == OnnxForm::kInteger ? onnx::TensorProto::INT32
                                                  : onnx::TensorProto::FLOAT,
               {-1, classes});
  graph.Output("class", onnx::TensorProto::INT64, {-1});
  return graph.Finish(options.version, "Operating point " + point.name + " of the Braid model " +
                                           network.name);
}

}  // namespace braid::convert
