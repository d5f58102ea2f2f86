// Convolutions, fully connected layers, and what is folded into their weights. Layer: convert.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "braid/convert/input_columns.h"
#include "braid/convert/lowering.h"

namespace braid::convert {

using model::Op;

namespace {

constexpr int64_t kMostWeights = int64_t{1} << 26;

}  // namespace

Status Lowering::SetWeights(FloatLayer& layer, const Binding& binding, std::vector<double> weights,
                            std::vector<double> bias) {
  size_t first = 0;  // channel of the part at hand
  for (const Part& part : PartsOf(binding)) {
    const auto channels =
        static_cast<size_t>(network_.layers[static_cast<size_t>(part.layer)].channels);
    first += channels;
    if (part.layer != 0) continue;
    const size_t begin = first - channels, row = static_cast<size_t>(ChannelsOf(binding));
    const size_t depth = weights.size() / bias.size();
    for (size_t o = 0; o < bias.size(); ++o) {
      for (size_t i = 0; i < depth; ++i) {
        if (i % row < begin || i % row >= begin + channels) continue;
        double& w = weights[o * depth + i];
        const size_t c = i % row - begin;
        bias[o] += w * (network_.scaling.shift[c] + 128 * network_.scaling.scale[c]);
        w *= network_.scaling.scale[c];
      }
    }
    const model::Window& w = layer.window;
    if (w.pad_top + w.pad_left + w.pad_bottom + w.pad_right > 0) SetPadding();
  }
  layer.weights = std::move(weights);
  layer.bias = std::move(bias);
  return OkStatus();
}

void Lowering::SetPadding() {
  const auto& [scale, shift] = network_.scaling;
  network_.padding.clear();
  network_.padding_offset = 0;
  for (size_t c = 0; c < scale.size(); ++c) {
    const double pixel = scale[c] == 0 ? 128 : -shift[c] / scale[c];
    network_.padding.push_back(pixel - 128);
    network_.padding_offset = std::max(
        network_.padding_offset,
        std::abs(scale[c] * std::clamp(std::round(pixel), 0.0, 255.0) + shift[c]));
  }
}

std::vector<uint8_t> PaddingPixels(const FloatNetwork& network) {
  std::vector<uint8_t> pixels;
  for (const double p : network.padding) {
    pixels.push_back(static_cast<uint8_t>(std::clamp(std::round(p + 128), 0.0, 255.0)));
  }
  const bool neutral = std::ranges::all_of(pixels, [](uint8_t pixel) { return pixel == 128; });
  return neutral ? std::vector<uint8_t>() : pixels;
}

void Lowering::SetInputs(FloatLayer& layer, const Binding& binding) {
  layer.input = binding.layer;
  for (size_t i = 1; i < binding.parts.size(); ++i) {
    layer.more_inputs.push_back(binding.parts[i].layer);
  }
}

Status Lowering::Conv(const OnnxNode& node) {
  BRAID_ASSIGN_OR_RETURN(const Binding binding, BoundMaps(node, 0));
  if (binding.flat || binding.channels_last) return Unimplemented("its input is no map [N,C,H,W]");
  const OnnxTensor* w = Constant(node, 1);
  if (w == nullptr || w->shape.size() != 4)
    return Unimplemented("its weights are no constant [O,I,H,W]");
  const FloatLayer source = LayerOf(binding);
  const auto group = node.ints.find("group");
  const int64_t groups = group == node.ints.end() || group->second.empty() ? 1 : group->second[0];
  const int64_t outputs = w->shape[0], held = w->shape[1], kh = w->shape[2], kw = w->shape[3];
  const int64_t inputs = ChannelsOf(binding);
  if (groups < 1 || groups > inputs || outputs < 1 || held < 1 || kh < 1 || kw < 1 || held * groups != inputs ||
      outputs % groups != 0) {
    return InvalidArgument("weights " + ShapeText(w->shape) + " do not fit a map of " +
                           std::to_string(inputs) + " channels");
  }
  // Else, grouped convolutions become dense ones with zeros.
  const bool keeps =
      groups > 1 && binding.parts.empty() && binding.layer != 0 &&
      KeepsFilters(source.channels,
                   FilledUpChannels(network_, static_cast<size_t>(binding.layer)),
                   static_cast<int>(held), static_cast<int>(std::min<int64_t>(outputs, 1 << 30)));
  const int64_t columns = keeps ? held : inputs;
  if (outputs > kMostWeights || kh > kMostWeights || kw > kMostWeights ||
      outputs * kh > kMostWeights || outputs * kh * kw > kMostWeights ||
      outputs * kh * kw * columns > kMostWeights) {
    return Unimplemented("more than 2^26 weights");
  }
  BRAID_ASSIGN_OR_RETURN(const NodeWindow window,
                         WindowOf(node, source.out_h, source.out_w, kh, kw));
  FloatLayer layer;
  layer.op = Op::kConv;
  SetInputs(layer, binding);
  layer.channels = static_cast<int>(outputs);
  layer.filter_channels = keeps ? static_cast<int>(held) : 0;
  SetWindow(layer, window);
  std::vector<double> weights(static_cast<size_t>(outputs * kh * kw * columns), 0);
  for (int64_t o = 0; o < outputs; ++o) {
    const int64_t first = keeps ? 0 : o / (outputs / groups) * held;
    for (int64_t i = 0; i < held; ++i) {
      for (int64_t k = 0; k < kh * kw; ++k) {
        weights[static_cast<size_t>((o * kh * kw + k) * columns + first + i)] =
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

void Lowering::Scale(FloatLayer& layer, const std::vector<double>& factor,
                     const std::vector<double>& offset) {
  const size_t depth = layer.weights.size() / layer.bias.size();
  for (size_t o = 0; o < layer.bias.size(); ++o) {
    for (size_t i = o * depth; i < (o + 1) * depth; ++i) layer.weights[i] *= factor[o];
    layer.bias[o] = layer.bias[o] * factor[o] + offset[o];
  }
}

Status Lowering::BatchNormalization(const OnnxNode& node) {
  BRAID_ASSIGN_OR_RETURN(const Binding binding, BoundMaps(node, 0));
  if (binding.layer == 0 && binding.parts.empty()) return Unimplemented("of the input");
  if (binding.channels_last) return Unimplemented("the input before it is transposed");
  const auto channels = static_cast<size_t>(ChannelsOf(binding));
  if (binding.flat && !IsVector(LayerOf(binding))) return Unimplemented("a flattened map");
  std::vector<std::vector<double>> statistics;  // scale, bias, mean, variance
  for (size_t i = 1; i <= 4; ++i) {
    const OnnxTensor* values = Constant(node, i);
    if (values == nullptr || values->values.size() != channels) {
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
  return ScaleMap(node, binding, 0, factor, offset);
}

Status Lowering::Affine(const OnnxNode& node) {
  if (node.inputs.size() != 2) return InvalidArgument("expected two inputs");
  const size_t at = Constant(node, 0) == nullptr ? 0 : 1;
  const OnnxTensor* constant = Constant(node, 1 - at);
  if (constant == nullptr) return Unimplemented("neither side is a constant");
  if (at == 1 && (node.op == "Sub" || node.op == "Div")) {
    return Unimplemented("a constant minus, or divided by, a map");
  }
  BRAID_ASSIGN_OR_RETURN(const Binding binding, BoundMaps(node, at));
  if (binding.channels_last) return Unimplemented("the input before it is transposed");
  if (binding.flat && !IsVector(LayerOf(binding))) return Unimplemented("a flattened map");
  BRAID_ASSIGN_OR_RETURN(std::vector<double> values,
                         PerChannel(*constant, ChannelsOf(binding), binding.flat));
  const bool multiplies = node.op == "Mul" || node.op == "Div";
  for (double& v : values) {
    if (node.op == "Sub") v = -v;
    if (node.op == "Div") v = 1 / v;
    if (!std::isfinite(v)) return InvalidArgument("a division by 0");
  }
  const std::vector<double> ones(values.size(), 1), zeros(values.size(), 0);
  const std::vector<double>& factor = multiplies ? values : ones;
  const std::vector<double>& offset = multiplies ? zeros : values;
  if (binding.layer == 0 && binding.parts.empty()) {
    if (network_.layers.size() > 1 || !UsedOnce(node.inputs[at])) {
      return Unimplemented("others read the unscaled input as well");
    }
    for (size_t c = 0; c < values.size(); ++c) {
      network_.scaling.scale[c] *= factor[c];
      network_.scaling.shift[c] = network_.scaling.shift[c] * factor[c] + offset[c];
    }
    return Rebind(node, binding);
  }
  return ScaleMap(node, binding, at, factor, offset);
}

Status Lowering::Gemm(const OnnxNode& node) {
  BRAID_ASSIGN_OR_RETURN(const Binding binding, BoundMaps(node, 0));
  const FloatLayer source = LayerOf(binding);
  const int64_t channels = ChannelsOf(binding);
  if (!binding.flat) return Unimplemented("its input is not flattened");
  const OnnxTensor* w = Constant(node, 1);
  if (w == nullptr || w->shape.size() != 2)
    return Unimplemented("its weights are no constant matrix");
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
  if (outputs < 1 || inputs != pixels * channels) {
    return InvalidArgument("weights " + ShapeText(w->shape) + " do not fit " +
                           std::to_string(pixels * channels) + " inputs");
  }
  const double alpha = gemm ? factor("alpha") : 1, beta = gemm ? factor("beta") : 1;
  std::vector<double> weights(static_cast<size_t>(outputs * inputs));
  for (int64_t o = 0; o < outputs; ++o) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t p = 0; p < pixels; ++p) {
        const int64_t i = c * pixels + p;
        weights[static_cast<size_t>((o * pixels + p) * channels + c)] =
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
  SetInputs(layer, binding);
  layer.channels = static_cast<int>(outputs);
  layer.window.kernel_h = source.out_h, layer.window.kernel_w = source.out_w;
  layer.out_h = layer.out_w = 1;
  BRAID_RETURN_IF_ERROR(SetWeights(layer, binding, std::move(weights), std::move(bias)));
  return Append(node, std::move(layer), true);
}

}  // namespace braid::convert
