// From ONNX nodes to layers: folds what belongs to a convolution into it. Layer: convert.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "braid/convert/float_network.h"
#include "braid/convert/graph_run.h"
#include "braid/convert/window_of.h"

namespace braid::convert {
namespace {

using model::Op;

constexpr int64_t kMostWeights = int64_t{1} << 26;
// An identity convolution has their square in weights.
constexpr int kMostIdentityChannels = 4096;

// What a value of the graph is: the output of a layer. `flat`: [N, C*H*W] in the order C, H, W.
// `channels_last`: the graph's input before it was transposed.
struct Binding {
  int layer = 0;
  bool flat = false;
  bool channels_last = false;
};

class Lowering {
 public:
  Lowering(const OnnxGraph& graph, const InputScaling& scaling) : graph_(graph) {
    network_.scaling = scaling;
    constants_ = graph.constants;
  }

  Result<FloatNetwork> Run(int height, int width, int channels) {
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

 private:
  FloatLayer& LayerOf(const Binding& binding) {
    return network_.layers[static_cast<size_t>(binding.layer)];
  }

  Status Input(int height, int width, int channels) {
    const std::vector<int64_t>& shape = graph_.input_shape;
    const auto fits = [](int64_t stated, int extent) { return stated == -1 || stated == extent; };
    if (shape.size() != 4) {
      return Unimplemented("input: shape " + ShapeText(shape) + ", expected [N,C,H,W] or [N,H,W,C]");
    }
    const bool nchw = fits(shape[1], channels) && fits(shape[2], height) && fits(shape[3], width);
    const bool nhwc = fits(shape[1], height) && fits(shape[2], width) && fits(shape[3], channels);
    // A graph that turns its input round takes channels last.
    const bool turned = !graph_.nodes.empty() && std::any_of(
        graph_.nodes.begin(), graph_.nodes.end(), [&](const OnnxNode& node) {
          return node.op == "Transpose" && node.inputs[0] == graph_.input;
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

  Status Node(const OnnxNode& node) {
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
        {"BatchNormalization", &Lowering::BatchNormalization},
        {"Relu", &Lowering::Relu},
        {"Clip", &Lowering::Clip},
        {"Add", &Lowering::Add},
        {"Sub", &Lowering::Affine},
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
    return (this->*found->second)(node);
  }

  // --- Helpers.

  Result<Binding> Bound(const OnnxNode& node, size_t i) const {
    if (i >= node.inputs.size()) return InvalidArgument("input " + std::to_string(i) + " is missing");
    const auto found = bound_.find(node.inputs[i]);
    if (found == bound_.end()) {
      return Unimplemented("input " + std::to_string(i) + " is not the output of a layer");
    }
    return found->second;
  }
  const OnnxTensor* Constant(const OnnxNode& node, size_t i) const {
    if (i >= node.inputs.size()) return nullptr;
    const auto found = constants_.find(node.inputs[i]);
    return found == constants_.end() ? nullptr : &found->second;
  }
  bool UsedOnce(const std::string& value) const {
    const auto found = uses_.find(value);
    return found != uses_.end() && found->second == 1;
  }
  // The layer's output is from now on the node's.
  Status Rebind(const OnnxNode& node, const Binding& binding) {
    LayerOf(binding).value = node.outputs[0];
    bound_[node.outputs[0]] = binding;
    return OkStatus();
  }
  Status Append(const OnnxNode& node, FloatLayer layer, bool flat = false) {
    layer.name = node.name.empty() ? node.outputs[0] : node.name;
    layer.value = node.outputs[0];
    network_.layers.push_back(std::move(layer));
    bound_[node.outputs[0]] = {.layer = static_cast<int>(network_.layers.size()) - 1, .flat = flat};
    return OkStatus();
  }
  static bool HasWeights(const FloatLayer& layer) { return layer.op == Op::kConv; }
  // Whether a linear step after the layer can still be taken into its weights.
  Status Open(const OnnxNode& node, const Binding& binding, size_t i) {
    const FloatLayer& layer = LayerOf(binding);
    if (!HasWeights(layer)) return Unimplemented("it does not follow a convolution or a Gemm");
    if (layer.relu || layer.shortcut >= 0) {
      return Unimplemented("it follows an activation or an addition, not a convolution");
    }
    if (!UsedOnce(node.inputs[i])) {
      return Unimplemented("others read the convolution's output as well");
    }
    return OkStatus();
  }
  // One value a channel of a constant [C], [1,C,1,1], [C,1,1], [1,C] or scalar.
  static Result<std::vector<double>> PerChannel(const OnnxTensor& constant, int channels,
                                                bool flat) {
    const auto count = static_cast<size_t>(channels);
    if (constant.values.size() == 1) return std::vector<double>(count, constant.values[0]);
    // In a map the channel is the third dimension from the end.
    const size_t from_end = flat ? 1 : 3;
    const bool aligned = constant.shape.size() >= from_end &&
                         constant.shape[constant.shape.size() - from_end] == channels;
    if (constant.values.size() != count || !aligned) {
      return Unimplemented("a constant of shape " + ShapeText(constant.shape) +
                           ", expected one value for each channel");
    }
    return constant.values;
  }
  // Outputs of a fully connected layer count as flat, and as a map of 1x1.
  static bool IsVector(const FloatLayer& layer) { return layer.out_h == 1 && layer.out_w == 1; }

  // --- Operators.

  Status Alias(const OnnxNode& node) {
    BRAID_ASSIGN_OR_RETURN(const Binding binding, Bound(node, 0));
    bound_[node.outputs[0]] = binding;
    if (LayerOf(binding).value == node.inputs[0]) LayerOf(binding).value = node.outputs[0];
    return OkStatus();
  }
  // Keeps the order of the logits, so the class stays; only as the last step.
  Status LastAlias(const OnnxNode& node) {
    if (!final_seen_) return Unimplemented("only as the last operator");
    BRAID_ASSIGN_OR_RETURN(const Binding binding, Bound(node, 0));
    bound_[node.outputs[0]] = binding;  // the layer's value stays that of the logits
    return OkStatus();
  }

  Status Transpose(const OnnxNode& node) {
    BRAID_ASSIGN_OR_RETURN(Binding binding, Bound(node, 0));
    const auto perm = node.ints.find("perm");
    if (binding.channels_last && perm != node.ints.end() &&
        perm->second == std::vector<int64_t>{0, 3, 1, 2}) {
      binding.channels_last = false;
      bound_[node.outputs[0]] = binding;
      return OkStatus();
    }
    return Unimplemented("only of the input, from channels last to channels first");
  }

  // Weights of a layer over `source`, with the input's scaling taken in.
  Status SetWeights(FloatLayer& layer, const Binding& binding, std::vector<double> weights,
                    std::vector<double> bias) {
    const FloatLayer& source = LayerOf(binding);
    if (binding.layer == 0) {
      const auto channels = static_cast<size_t>(source.channels);
      const size_t depth = weights.size() / bias.size();
      for (size_t o = 0; o < bias.size(); ++o) {
        for (size_t i = 0; i < depth; ++i) {
          double& w = weights[o * depth + i];
          const size_t c = i % channels;
          bias[o] += w * (network_.scaling.shift[c] + 128 * network_.scaling.scale[c]);
          w *= network_.scaling.scale[c];
        }
      }
      const model::Window& w = layer.window;
      if (w.pad_top + w.pad_left + w.pad_bottom + w.pad_right > 0) {
        for (size_t c = 0; c < channels; ++c) {
          network_.padding_offset =
              std::max(network_.padding_offset, std::abs(network_.scaling.shift[c] +
                                                         128 * network_.scaling.scale[c]));
        }
      }
    }
    layer.weights = std::move(weights);
    layer.bias = std::move(bias);
    return OkStatus();
  }

  Status Conv(const OnnxNode& node) {
    BRAID_ASSIGN_OR_RETURN(const Binding binding, Bound(node, 0));
    if (binding.flat || binding.channels_last) return Unimplemented("its input is no map [N,C,H,W]");
    const OnnxTensor* w = Constant(node, 1);
    if (w == nullptr || w->shape.size() != 4) return Unimplemented("its weights are no constant [O,I,H,W]");
    const FloatLayer source = LayerOf(binding);
    const auto group = node.ints.find("group");
    const int64_t groups = group == node.ints.end() || group->second.empty() ? 1 : group->second[0];
    const int64_t outputs = w->shape[0], held = w->shape[1], kh = w->shape[2], kw = w->shape[3];
    const int64_t inputs = source.channels;
    if (groups < 1 || outputs < 1 || held < 1 || kh < 1 || kw < 1 || held * groups != inputs ||
        outputs % groups != 0) {
      return InvalidArgument("weights " + ShapeText(w->shape) + " do not fit a map of " +
                             std::to_string(inputs) + " channels");
    }
    if (outputs * kh * kw * inputs > kMostWeights) return Unimplemented("more than 2^26 weights");
    BRAID_ASSIGN_OR_RETURN(const NodeWindow window,
                           WindowOf(node, source.out_h, source.out_w, kh, kw));
    FloatLayer layer;
    layer.op = Op::kConv;
    layer.input = binding.layer;
    layer.channels = static_cast<int>(outputs);
    SetWindow(layer, window);
    // Grouped convolutions become dense ones with zeros.
    std::vector<double> weights(static_cast<size_t>(outputs * kh * kw * inputs), 0);
    for (int64_t o = 0; o < outputs; ++o) {
      const int64_t first = o / (outputs / groups) * held;
      for (int64_t i = 0; i < held; ++i) {
        for (int64_t k = 0; k < kh * kw; ++k) {
          weights[static_cast<size_t>((o * kh * kw + k) * inputs + first + i)] =
              w->values[static_cast<size_t>((o * held + i) * kh * kw + k)];
        }
      }
    }
    std::vector<double> bias(static_cast<size_t>(outputs), 0);
    if (node.inputs.size() > 2 && !node.inputs[2].empty()) {
      const OnnxTensor* b = Constant(node, 2);
      if (b == nullptr || b->values.size() != bias.size()) {
        return Unimplemented("its bias is no constant of one value for each channel");
      }
      bias = b->values;
    }
    BRAID_RETURN_IF_ERROR(SetWeights(layer, binding, std::move(weights), std::move(bias)));
    return Append(node, std::move(layer));
  }

  static void SetWindow(FloatLayer& layer, const NodeWindow& from) {
    const auto whole = [](int64_t v) { return static_cast<int>(v); };
    layer.window = {.kernel_h = whole(from.kernel_h),
                    .kernel_w = whole(from.kernel_w),
                    .stride_h = whole(from.stride_h),
                    .stride_w = whole(from.stride_w),
                    .pad_top = whole(from.pad_top),
                    .pad_left = whole(from.pad_left),
                    .pad_bottom = whole(from.pad_bottom),
                    .pad_right = whole(from.pad_right)};
    layer.out_h = whole(from.out_h);
    layer.out_w = whole(from.out_w);
  }

  // y = y * factor + offset, per channel, into the layer's weights and bias.
  static void Scale(FloatLayer& layer, const std::vector<double>& factor,
                    const std::vector<double>& offset) {
    const size_t depth = layer.weights.size() / layer.bias.size();
    for (size_t o = 0; o < layer.bias.size(); ++o) {
      for (size_t i = o * depth; i < (o + 1) * depth; ++i) layer.weights[i] *= factor[o];
      layer.bias[o] = layer.bias[o] * factor[o] + offset[o];
    }
  }

  Status BatchNormalization(const OnnxNode& node) {
    BRAID_ASSIGN_OR_RETURN(const Binding binding, Bound(node, 0));
    BRAID_RETURN_IF_ERROR(Open(node, binding, 0));
    std::vector<std::vector<double>> statistics;  // scale, bias, mean, variance
    for (size_t i = 1; i <= 4; ++i) {
      const OnnxTensor* values = Constant(node, i);
      if (values == nullptr || values->values.size() != LayerOf(binding).bias.size()) {
        return Unimplemented("its statistics are no constants of one value for each channel");
      }
      statistics.push_back(values->values);
    }
    const auto found = node.floats.find("epsilon");
    const double epsilon = found == node.floats.end() ? 1e-5 : found->second;
    std::vector<double> factor, offset;
    for (size_t c = 0; c < statistics[0].size(); ++c) {
      const double variance = statistics[3][c] + epsilon;
      if (!(variance > 0)) return InvalidArgument("a variance that is not positive");
      factor.push_back(statistics[0][c] / std::sqrt(variance));
      offset.push_back(statistics[1][c] - statistics[2][c] * factor.back());
    }
    Scale(LayerOf(binding), factor, offset);
    return Rebind(node, binding);
  }

  Status Rectify(const OnnxNode& node, double cap) {
    BRAID_ASSIGN_OR_RETURN(const Binding binding, Bound(node, 0));
    FloatLayer& layer = LayerOf(binding);
    const auto limit = [cap](FloatLayer& l) {
      if (cap > 0) l.cap = l.cap > 0 ? std::min(l.cap, cap) : cap;
    };
    if (HasWeights(layer)) {
      if (!layer.relu && !UsedOnce(node.inputs[0])) {
        return Unimplemented("others read the convolution's output before the activation as well");
      }
      if (layer.relu && cap > 0 && !UsedOnce(node.inputs[0])) {
        return Unimplemented("others read the unclipped values as well");
      }
      layer.relu = true;
      limit(layer);
      return Rebind(node, binding);
    }
    if (layer.relu) {  // a pool of values that are positive already
      if (cap > 0) return Unimplemented("an upper bound after a pool");
      return Rebind(node, binding);
    }
    // The maximum of rectified values is the rectified maximum.
    if (layer.op == Op::kMaxPool && UsedOnce(node.inputs[0])) {
      FloatLayer& source = network_.layers[static_cast<size_t>(layer.input)];
      if (HasWeights(source) && UsedOnce(source.value)) {
        source.relu = layer.relu = true;
        limit(source);
        return Rebind(node, binding);
      }
    }
    return Unimplemented("it follows neither a convolution nor a pool of one");
  }

  Status Relu(const OnnxNode& node) { return Rectify(node, 0); }

  Status Clip(const OnnxNode& node) {
    const auto limit = [&](const char* name, size_t input, double otherwise) {
      if (const OnnxTensor* t = Constant(node, input); t != nullptr && !t->values.empty()) {
        return t->values[0];
      }
      const auto found = node.floats.find(name);
      return found == node.floats.end() ? otherwise : found->second;
    };
    const double low = limit("min", 1, -std::numeric_limits<double>::infinity());
    const double high = limit("max", 2, 0);
    if (low != 0 || high < 0) return Unimplemented("a clip whose lower bound is not 0");
    return Rectify(node, high);
  }

  Status Add(const OnnxNode& node) {
    if (node.inputs.size() != 2) return InvalidArgument("expected two inputs");
    if (Constant(node, 0) != nullptr || Constant(node, 1) != nullptr) return Affine(node);
    BRAID_ASSIGN_OR_RETURN(Binding a, Bound(node, 0));
    BRAID_ASSIGN_OR_RETURN(Binding b, Bound(node, 1));
    const auto takes = [&](const Binding& binding, size_t i) {
      return Open(node, binding, i).ok() && !binding.flat;
    };
    // The later convolution adds; the other is the shortcut.
    size_t at = 1;
    if (takes(a, 0) && (!takes(b, 1) || a.layer > b.layer)) std::swap(a, b), at = 0;
    if (!takes(b, at) || a.layer == b.layer) {
      return Unimplemented("an addition without a convolution of its own on one side");
    }
    const FloatLayer& from = LayerOf(a);
    const FloatLayer& to = LayerOf(b);
    if (from.channels != to.channels || from.out_h != to.out_h || from.out_w != to.out_w || a.flat ||
        a.channels_last) {
      return Unimplemented("an addition of maps of different shapes");
    }
    int shortcut = a.layer;
    if (!HasWeights(from) || from.relu || Reaches(a.layer, b.layer)) {
      BRAID_ASSIGN_OR_RETURN(shortcut, IdentityOf(a));
    }
    network_.layers[static_cast<size_t>(b.layer)].shortcut = shortcut;
    return Rebind(node, b);
  }

  // Whether `from` is computed out of `other`.
  bool Reaches(int from, int other) const {
    std::vector<int> open = {from};
    std::set<int> seen;
    while (!open.empty()) {
      const int l = open.back();
      open.pop_back();
      if (l < 0 || !seen.insert(l).second) continue;
      if (l == other) return true;
      open.push_back(network_.layers[static_cast<size_t>(l)].input);
      open.push_back(network_.layers[static_cast<size_t>(l)].shortcut);
    }
    return false;
  }

  // A 1x1 convolution that passes its input on: a shortcut is a convolution's sum before its
  // activation, and here what is added is a map behind one.
  Result<int> IdentityOf(const Binding& binding) {
    const FloatLayer source = LayerOf(binding);
    if (source.channels > kMostIdentityChannels) {
      return Unimplemented("it needs an identity convolution of more than 4096 channels");
    }
    FloatLayer layer;
    layer.name = source.name + "_identity";
    layer.value = source.value;
    layer.op = Op::kConv;
    layer.input = binding.layer;
    layer.channels = source.channels, layer.out_h = source.out_h, layer.out_w = source.out_w;
    layer.relu = source.relu;
    layer.identity = true;
    const auto channels = static_cast<size_t>(source.channels);
    std::vector<double> weights(channels * channels, 0);
    for (size_t c = 0; c < channels; ++c) weights[c * channels + c] = 1;
    BRAID_RETURN_IF_ERROR(
        SetWeights(layer, binding, std::move(weights), std::vector<double>(channels, 0)));
    network_.layers.push_back(std::move(layer));
    return static_cast<int>(network_.layers.size()) - 1;
  }

  // Add, Sub, Mul, Div with a constant: of the input's scaling, or of a convolution.
  Status Affine(const OnnxNode& node) {
    if (node.inputs.size() != 2) return InvalidArgument("expected two inputs");
    const size_t at = Constant(node, 0) == nullptr ? 0 : 1;
    const OnnxTensor* constant = Constant(node, 1 - at);
    if (constant == nullptr) return Unimplemented("neither side is a constant");
    if (at == 1 && (node.op == "Sub" || node.op == "Div")) {
      return Unimplemented("a constant minus, or divided by, a map");
    }
    BRAID_ASSIGN_OR_RETURN(const Binding binding, Bound(node, at));
    if (binding.channels_last) return Unimplemented("the input before it is transposed");
    FloatLayer& layer = LayerOf(binding);
    if (binding.flat && !IsVector(layer)) return Unimplemented("a flattened map");
    BRAID_ASSIGN_OR_RETURN(std::vector<double> values,
                           PerChannel(*constant, layer.channels, binding.flat));
    const bool multiplies = node.op == "Mul" || node.op == "Div";
    for (double& v : values) {
      if (node.op == "Sub") v = -v;
      if (node.op == "Div") v = 1 / v;
      if (!std::isfinite(v)) return InvalidArgument("a division by 0");
    }
    const std::vector<double> ones(values.size(), 1), zeros(values.size(), 0);
    const std::vector<double>& factor = multiplies ? values : ones;
    const std::vector<double>& offset = multiplies ? zeros : values;
    if (binding.layer == 0) {
      if (network_.layers.size() > 1 || !UsedOnce(node.inputs[at])) {
        return Unimplemented("others read the unscaled input as well");
      }
      for (size_t c = 0; c < values.size(); ++c) {
        network_.scaling.scale[c] *= factor[c];
        network_.scaling.shift[c] = network_.scaling.shift[c] * factor[c] + offset[c];
      }
      return Rebind(node, binding);
    }
    BRAID_RETURN_IF_ERROR(Open(node, binding, at));
    Scale(layer, factor, offset);
    return Rebind(node, binding);
  }

  Status MaxPool(const OnnxNode& node) {
    BRAID_ASSIGN_OR_RETURN(const Binding binding, Bound(node, 0));
    if (binding.flat || binding.layer == 0) return Unimplemented("only after a convolution");
    const FloatLayer source = LayerOf(binding);
    BRAID_ASSIGN_OR_RETURN(const NodeWindow window,
                           WindowOf(node, source.out_h, source.out_w, 0, 0));
    FloatLayer layer;
    layer.op = Op::kMaxPool;
    layer.input = binding.layer;
    layer.channels = source.channels;
    layer.relu = source.relu;
    SetWindow(layer, window);
    const model::Window& w = layer.window;
    if (!source.relu && w.pad_top + w.pad_left + w.pad_bottom + w.pad_right > 0) {
      return Unimplemented("padding around values that may be negative");
    }
    return Append(node, std::move(layer));
  }

  Status AveragePool(const OnnxNode& node) {
    BRAID_ASSIGN_OR_RETURN(const Binding binding, Bound(node, 0));
    if (binding.flat || binding.layer == 0) return Unimplemented("only after a convolution");
    const FloatLayer source = LayerOf(binding);
    FloatLayer layer;
    layer.op = Op::kSumPool;
    layer.input = binding.layer;
    layer.channels = source.channels;
    layer.relu = source.relu;
    bool flat = false;
    if (node.op == "AveragePool") {
      BRAID_ASSIGN_OR_RETURN(const NodeWindow window,
                             WindowOf(node, source.out_h, source.out_w, 0, 0));
      SetWindow(layer, window);
      const model::Window& w = layer.window;
      const auto counts = node.ints.find("count_include_pad");
      const bool all = counts != node.ints.end() && counts->second == std::vector<int64_t>{1};
      if (!all && w.pad_top + w.pad_left + w.pad_bottom + w.pad_right > 0) {
        return Unimplemented("a mean that leaves the padding out");
      }
    } else {
      if (node.op == "ReduceMean") {
        const auto axes = node.ints.find("axes");
        const bool whole = axes != node.ints.end() &&
                           (axes->second == std::vector<int64_t>{2, 3} ||
                            axes->second == std::vector<int64_t>{-2, -1} ||
                            axes->second == std::vector<int64_t>{-1, -2});
        if (!whole) return Unimplemented("only over height and width");
        const auto keep = node.ints.find("keepdims");
        flat = keep != node.ints.end() && keep->second == std::vector<int64_t>{0};
      }
      layer.window.kernel_h = source.out_h, layer.window.kernel_w = source.out_w;
      layer.out_h = layer.out_w = 1;
    }
    return Append(node, std::move(layer), flat);
  }

  Status Flatten(const OnnxNode& node) {
    BRAID_ASSIGN_OR_RETURN(Binding binding, Bound(node, 0));
    if (binding.channels_last) return Unimplemented("the input before it is transposed");
    const FloatLayer& layer = LayerOf(binding);
    const int64_t elements = int64_t{layer.channels} * layer.out_h * layer.out_w;
    if (node.op == "Reshape") {
      const OnnxTensor* shape = Constant(node, 1);
      if (shape == nullptr) return Unimplemented("its shape is no constant");
      const std::vector<double>& s = shape->values;
      // [N, elements] with either of them left open; N is 1 where an exporter fixed it.
      const bool two = s.size() == 2 && (s[1] == -1 || s[1] == static_cast<double>(elements)) &&
                       (s[0] == 0 || s[0] == -1 || s[0] == 1) && !(s[0] == -1 && s[1] == -1);
      if (!two) return Unimplemented("only to [N, all others]");
    }
    if (node.op == "Flatten") {
      const auto axis = node.ints.find("axis");
      if (axis != node.ints.end() && axis->second != std::vector<int64_t>{1}) {
        return Unimplemented("an axis other than 1");
      }
    }
    if (node.op == "Squeeze" && !IsVector(layer)) return Unimplemented("only of maps of 1x1");
    binding.flat = true;
    bound_[node.outputs[0]] = binding;
    return OkStatus();
  }

  Status Gemm(const OnnxNode& node) {
    BRAID_ASSIGN_OR_RETURN(const Binding binding, Bound(node, 0));
    const FloatLayer source = LayerOf(binding);
    if (!binding.flat) return Unimplemented("its input is not flattened");
    const OnnxTensor* w = Constant(node, 1);
    if (w == nullptr || w->shape.size() != 2) return Unimplemented("its weights are no constant matrix");
    const auto is = [&](const char* name, int64_t otherwise) {
      const auto found = node.ints.find(name);
      return found == node.ints.end() || found->second.empty() ? otherwise : found->second[0];
    };
    const auto factor = [&](const char* name) {
      const auto found = node.floats.find(name);
      return found == node.floats.end() ? 1.0 : found->second;
    };
    const bool gemm = node.op == "Gemm";
    if (gemm && is("transA", 0) != 0) return Unimplemented("transA");
    const bool rows = gemm && is("transB", 0) != 0;  // [outputs, inputs]
    const int64_t outputs = w->shape[rows ? 0 : 1], inputs = w->shape[rows ? 1 : 0];
    const int64_t pixels = int64_t{source.out_h} * source.out_w;
    if (outputs < 1 || inputs != pixels * source.channels) {
      return InvalidArgument("weights " + ShapeText(w->shape) + " do not fit " +
                             std::to_string(pixels * source.channels) + " inputs");
    }
    const double alpha = gemm ? factor("alpha") : 1, beta = gemm ? factor("beta") : 1;
    std::vector<double> weights(static_cast<size_t>(outputs * inputs));
    for (int64_t o = 0; o < outputs; ++o) {
      for (int64_t c = 0; c < source.channels; ++c) {
        for (int64_t p = 0; p < pixels; ++p) {
          const int64_t i = c * pixels + p;
          weights[static_cast<size_t>((o * pixels + p) * source.channels + c)] =
              alpha * w->values[static_cast<size_t>(rows ? o * inputs + i : i * outputs + o)];
        }
      }
    }
    std::vector<double> bias(static_cast<size_t>(outputs), 0);
    if (gemm && node.inputs.size() > 2 && !node.inputs[2].empty()) {
      const OnnxTensor* b = Constant(node, 2);
      if (b == nullptr) return Unimplemented("its bias is no constant");
      BRAID_ASSIGN_OR_RETURN(bias, PerChannel(*b, static_cast<int>(outputs), true));
      for (double& v : bias) v *= beta;
    }
    FloatLayer layer;
    layer.op = Op::kConv;  // over the whole map; the last one becomes the head
    layer.input = binding.layer;
    layer.channels = static_cast<int>(outputs);
    layer.window.kernel_h = source.out_h, layer.window.kernel_w = source.out_w;
    layer.out_h = layer.out_w = 1;
    BRAID_RETURN_IF_ERROR(SetWeights(layer, binding, std::move(weights), std::move(bias)));
    return Append(node, std::move(layer), true);
  }

  // Steps of a quantized model are not kept: Braid finds its own bounds. Its saturation may be the
  // ReLU, though: a zero point at the lowest value.
  Status Quantize(const OnnxNode& node) {
    BRAID_ASSIGN_OR_RETURN(const Binding binding, Bound(node, 0));
    const OnnxTensor* scale = Constant(node, 1);
    const OnnxTensor* zero = Constant(node, 2);
    if (scale == nullptr || scale->values.size() != 1) {
      return Unimplemented("its scale is not one constant");
    }
    const double least = zero == nullptr ? 0 : zero->least, most = zero == nullptr ? 255 : zero->most;
    const double point = zero == nullptr || zero->values.empty() ? 0 : zero->values[0];
    if (binding.layer != 0 && point == least && HasWeights(LayerOf(binding)) &&
        !LayerOf(binding).relu && !final_seen_) {
      return Rectify(node, (most - point) * scale->values[0]);
    }
    return Alias(node);
  }
  Status Dequantize(const OnnxNode& node) {
    BRAID_ASSIGN_OR_RETURN(const Binding binding, Bound(node, 0));
    if (binding.layer == 0 && node.inputs[0] == graph_.input) {
      const OnnxTensor* scale = Constant(node, 1);
      const OnnxTensor* zero = Constant(node, 2);
      if (scale == nullptr || scale->values.size() != 1) {
        return Unimplemented("its scale is not one constant");
      }
      const double point = zero == nullptr || zero->values.empty() ? 0 : zero->values[0];
      for (size_t c = 0; c < network_.scaling.scale.size(); ++c) {
        network_.scaling.shift[c] = (network_.scaling.shift[c] - point) * scale->values[0];
        network_.scaling.scale[c] *= scale->values[0];
      }
    }
    return Alias(node);
  }

  // The layers that the answer needs, each after what it reads; the last one as the head.
  Result<FloatNetwork> Finish() {
    const auto found = bound_.find(graph_.outputs[0]);
    if (found == bound_.end()) {
      return Unimplemented("output '" + graph_.outputs[0] + "' is not the output of a layer");
    }
    Binding last = found->second;
    const FloatLayer& answer = LayerOf(last);
    if (last.layer == 0) return InvalidArgument("the graph passes its input on");
    const int64_t pixels = int64_t{answer.out_h} * answer.out_w;
    if (pixels != 1) return Unimplemented("its output is a map, not one value for each class");
    const FloatLayer& before = network_.layers[static_cast<size_t>(std::max(answer.input, 0))];
    const bool whole = HasWeights(answer) && !answer.relu && answer.shortcut < 0 &&
                       answer.window.kernel_h == before.out_h &&
                       answer.window.kernel_w == before.out_w && !answer.identity;
    if (!whole) {
      BRAID_ASSIGN_OR_RETURN(last.layer, IdentityOf(last));
    }
    network_.layers[static_cast<size_t>(last.layer)].op = Op::kLinear;
    network_.layers[static_cast<size_t>(last.layer)].relu = false;

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
      for (const int used : {layer.shortcut, layer.input}) {
        if (used >= 0 && position[static_cast<size_t>(used)] < 0) open.emplace_back(used, false);
      }
    }
    for (FloatLayer& layer : ordered) {
      if (layer.input >= 0) layer.input = position[static_cast<size_t>(layer.input)];
      if (layer.shortcut >= 0) layer.shortcut = position[static_cast<size_t>(layer.shortcut)];
    }
    network_.layers = std::move(ordered);
    return std::move(network_);
  }

  const OnnxGraph& graph_;
  FloatNetwork network_;
  std::map<std::string, OnnxTensor> constants_;
  std::map<std::string, Binding> bound_;
  std::map<std::string, int> uses_;
  bool final_seen_ = false;
};

}  // namespace

Result<FloatNetwork> LowerGraph(const OnnxGraph& graph, const InputScaling& scaling, int height,
                                int width, int channels) {
  return Lowering(graph, scaling).Run(height, width, channels);
}

}  // namespace braid::convert
