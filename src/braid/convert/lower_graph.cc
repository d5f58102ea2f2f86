// From ONNX nodes to layers: the walk over the graph, its input and its answer. Layer: convert.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "braid/convert/graph_run.h"
#include "braid/convert/lowering.h"

namespace braid::convert {

using model::Op;

Result<FloatNetwork> Lowering::Run(int height, int width, int channels) {
  BRAID_RETURN_IF_ERROR(Input(height, width, channels));
  for (const OnnxNode& node : graph_.nodes) {
    for (const std::string& input : node.inputs) ++uses_[input];
  }
  for (const std::string& output : graph_.outputs) ++uses_[output];
  for (const OnnxNode& node : graph_.nodes) {
    if (node.outputs[0] == graph_.outputs[0]) final_seen_ = true;
    const Status status = Node(node);
    if (!status.ok()) return status.WithContext(node.Title());
    if (final_seen_) break;  // what follows makes other outputs
  }
  return Finish();
}

Status Lowering::Input(int height, int width, int channels) {
  const std::vector<int64_t>& shape = graph_.input_shape;
  const auto fits = [](int64_t stated, int extent) { return stated == -1 || stated == extent; };
  if (shape.size() != 4) {
    return Unimplemented("input: shape " + ShapeText(shape) + ", expected [N,C,H,W] or [N,H,W,C]");
  }
  const bool nchw = fits(shape[1], channels) && fits(shape[2], height) && fits(shape[3], width);
  const bool nhwc = fits(shape[1], height) && fits(shape[2], width) && fits(shape[3], channels);
  // A graph that turns its input round takes channels last.
  const bool turned =
      std::any_of(graph_.nodes.begin(), graph_.nodes.end(), [&](const OnnxNode& node) {
        return node.op == "Transpose" && !node.inputs.empty() && node.inputs[0] == graph_.input;
      });
  network_.nhwc = nhwc && (turned || !nchw);
  if (!nchw && !nhwc) {
    return InvalidArgument("input: shape " + ShapeText(shape) + " is not that of the pictures, " +
                           ShapeText({height, width, channels}) + " (height, width, channels)");
  }
  FloatLayer input;
  input.name = "input";
  input.value = graph_.input;
  input.channels = channels, input.out_h = height, input.out_w = width;
  network_.layers.push_back(std::move(input));
  for (std::vector<double>* values : {&network_.scaling.scale, &network_.scaling.shift}) {
    if (values->size() == 1) values->assign(static_cast<size_t>(channels), values->front());
    if (values->size() != static_cast<size_t>(channels)) {
      return InvalidArgument("mean and std need one value, or one for each channel");
    }
  }
  bound_[graph_.input] = {.layer = 0, .flat = false, .channels_last = network_.nhwc};
  return OkStatus();
}

Status Lowering::Node(const OnnxNode& node) {
  const bool constant = std::all_of(node.inputs.begin(), node.inputs.end(), [&](const auto& name) {
    return name.empty() || constants_.contains(name);
  });
  if (constant && !node.inputs.empty()) {
    std::vector<const OnnxTensor*> inputs;
    for (const std::string& name : node.inputs) {
      inputs.push_back(name.empty() ? nullptr : &constants_.at(name));
    }
    Result<OnnxTensor> value = RunNode(node, std::move(inputs));
    if (!value.ok()) return value.status();
    constants_.emplace(node.outputs[0], std::move(*value));
    return OkStatus();
  }
  static const std::map<std::string, Status (Lowering::*)(const OnnxNode&)> kOperators = {
      {"Conv", &Lowering::Conv},
      {"Concat", &Lowering::Concat},
      {"BatchNormalization", &Lowering::BatchNormalization},
      {"Relu", &Lowering::Relu},
      {"Clip", &Lowering::Clip},
      {"Add", &Lowering::Add},
      {"Sub", &Lowering::Subtract},
      {"Mul", &Lowering::Affine},
      {"Div", &Lowering::Affine},
      {"MaxPool", &Lowering::MaxPool},
      {"AveragePool", &Lowering::AveragePool},
      {"GlobalAveragePool", &Lowering::AveragePool},
      {"ReduceMean", &Lowering::AveragePool},
      {"Flatten", &Lowering::Flatten},
      {"Reshape", &Lowering::Flatten},
      {"Squeeze", &Lowering::Flatten},
      {"Transpose", &Lowering::Transpose},
      {"Gemm", &Lowering::Gemm},
      {"MatMul", &Lowering::Gemm},
      {"QuantizeLinear", &Lowering::Quantize},
      {"DequantizeLinear", &Lowering::Dequantize},
      {"Cast", &Lowering::Alias},
      {"Identity", &Lowering::Alias},
      {"Dropout", &Lowering::Alias},
      {"Softmax", &Lowering::LastAlias},
      {"LogSoftmax", &Lowering::LastAlias}};
  const auto found = kOperators.find(node.op);
  if (found == kOperators.end()) {
    return Unimplemented("import does not take this operator (docs/onnx.md lists those it takes)");
  }
  if (network_.image_sign != 0) return BehindImage(node);
  return (this->*found->second)(node);
}

Result<FloatNetwork> Lowering::Finish() {
  const auto found = bound_.find(graph_.outputs[0]);
  if (found == bound_.end()) {
    return Unimplemented("output '" + graph_.outputs[0] + "' is not the output of a layer");
  }
  Binding last = found->second;
  const FloatLayer& answer = LayerOf(last);
  if (!last.parts.empty()) return Unimplemented("its output is a concatenation");
  if (last.layer == 0) return InvalidArgument("the graph passes its input on");
  const int64_t pixels = int64_t{answer.out_h} * answer.out_w;
  const bool restores = network_.image_sign != 0;
  if (pixels != 1 && !restores) {
    return Unimplemented(
        "its output is a map, neither one value for each class nor the image with the "
        "map added to it");
  }
  const FloatLayer& before = network_.layers[static_cast<size_t>(std::max(answer.input, 0))];
  // No head reads the image itself.
  const bool image =
      answer.input == 0 || std::ranges::find(answer.more_inputs, 0) != answer.more_inputs.end();
  const bool whole = HasWeights(answer) && !image && !answer.relu && answer.shortcut < 0 &&
                     (restores || (answer.window.kernel_h == before.out_h &&
                                   answer.window.kernel_w == before.out_w)) &&
                     !answer.identity;
  if (!whole) {
    BRAID_ASSIGN_OR_RETURN(last.layer, IdentityOf(last));
  }
  network_.layers[static_cast<size_t>(last.layer)].op = Op::kLinear;
  network_.layers[static_cast<size_t>(last.layer)].relu = false;
  if (network_.image_sign < 0) Scale(network_.layers[static_cast<size_t>(last.layer)], {-1}, {0});

  std::vector<int> position(network_.layers.size(), -1);
  std::vector<FloatLayer> ordered;
  // Depth first, without recursion: graphs may be long.
  std::vector<std::pair<int, bool>> open = {{last.layer, false}};
  while (!open.empty()) {
    const auto [l, ready] = open.back();
    open.pop_back();
    if (position[static_cast<size_t>(l)] >= 0) continue;
    const FloatLayer& layer = network_.layers[static_cast<size_t>(l)];
    if (ready) {
      position[static_cast<size_t>(l)] = static_cast<int>(ordered.size());
      ordered.push_back(layer);
      continue;
    }
    open.emplace_back(l, true);
    std::vector<int> reads = {layer.shortcut};
    reads.insert(reads.end(), layer.more_inputs.rbegin(), layer.more_inputs.rend());
    reads.push_back(layer.input);
    for (const int used : reads) {
      if (used >= 0 && position[static_cast<size_t>(used)] < 0) open.emplace_back(used, false);
    }
  }
  for (FloatLayer& layer : ordered) {
    if (layer.input >= 0) layer.input = position[static_cast<size_t>(layer.input)];
    for (int& input : layer.more_inputs) input = position[static_cast<size_t>(input)];
    if (layer.shortcut >= 0) layer.shortcut = position[static_cast<size_t>(layer.shortcut)];
  }
  network_.layers = std::move(ordered);
  return std::move(network_);
}

Result<FloatNetwork> LowerGraph(const OnnxGraph& graph, const InputScaling& scaling, int height,
                                int width, int channels) {
  return Lowering(graph, scaling).Run(height, width, channels);
}

}  // namespace braid::convert
