#include "braid/convert/qdq_form.h"

#include <cmath>
#include <cstdlib>
#include <utility>

#include "braid/kernels/requantization.h"
#include "braid/model/layer_map.h"

namespace braid::convert {

using model::Layer;
using model::LayerIndex;
using model::LayerTables;

QdqForm::QdqForm(const model::Network& network, int sub_network, int term, GraphWriter& graph)
    : TermWriter(network, sub_network, term, graph),
      scale_(graph.Float(Name(0, "scale"), {}, {1})),
      zero_u7_(graph.Uint8(Name(0, "zero_u7"), {}, {0})),
      zero_s8_(graph.Uint8(Name(0, "zero_s8"), {}, {128})),
      least_(graph.Float(Name(0, "least"), {}, {-127})),
      none_(graph.Float(Name(0, "none"), {}, {0})),
      most_(graph.Float(Name(0, "most"), {}, {127})) {}

Result<std::string> QdqForm::Input(const std::string& pixels) {
  return graph_.Node("DequantizeLinear", {pixels, scale_, zero_s8_}, Name(0, "map"));
}

QdqForm::Parameters QdqForm::Quantized(LayerIndex l, int shift, std::vector<int64_t> weight_shape) {
  const LayerTables& tables = TablesAt(l);
  const std::vector<size_t> channels = Channels(l);
  SlicedWeights weights = SliceWeights(network_, LayerAt(l), sub_network_.groups);
  const size_t depth = weights.values.size() / channels.size();
  std::vector<int32_t> bias = Pick(tables.bias, channels);
  std::vector<float> scales;
  for (size_t c = 0; c < channels.size(); ++c) {
    const int32_t mul = tables.mul[channels[c]];
    // A scale must be positive; mul = 0 gives 0, as weights and bias of 0 do.
    scales.push_back(static_cast<float>(
        std::ldexp(mul == 0 ? 1.0 : std::abs(static_cast<double>(mul)), -shift)));
    const int sign = mul == 0 ? 0 : mul < 0 ? -1 : 1;
    for (size_t i = c * depth; i < (c + 1) * depth; ++i) {
      weights.values[i] = static_cast<int8_t>(sign * weights.values[i]);
    }
    bias[c] *= sign;
  }
  if (weight_shape.empty()) weight_shape = weights.shape;
  const auto count = static_cast<int64_t>(channels.size());
  const std::string scale = graph_.Float(Name(l, "weight_scale"), {count}, scales);
  const std::string w = graph_.Int8(Name(l, "weights_q"), weight_shape, weights.values);
  const std::string weight_zero =
      graph_.Int8(Name(l, "weight_zero"), {count}, std::vector<int8_t>(channels.size(), 0));
  const std::string b = graph_.Int32(Name(l, "bias_q"), {count}, bias);
  const std::string bias_zero =
      graph_.Int32(Name(l, "bias_zero"), {count}, std::vector<int32_t>(channels.size(), 0));
  Parameters parameters;
  parameters.weights = graph_.Node("DequantizeLinear", {w, scale, weight_zero}, Name(l, "weights"));
  graph_.SetInt("axis", 0);
  parameters.bias = graph_.Node("DequantizeLinear", {b, scale, bias_zero}, Name(l, "bias"));
  graph_.SetInt("axis", 0);
  parameters.filter_groups = weights.filter_groups;
  return parameters;
}

// Quantized once more, which changes nothing: so runtimes see a join of 8-bit maps.
std::string QdqForm::Joined(LayerIndex l, const std::string& value, ElementKind kind) {
  const std::string& zero = kind == ElementKind::kU7 ? zero_u7_ : zero_s8_;
  const std::string q = graph_.Node("QuantizeLinear", {value, scale_, zero}, Name(l, "joined_q"));
  return graph_.Node("DequantizeLinear", {q, scale_, zero}, Name(l, "joined"));
}

std::string QdqForm::PixelConstant(LayerIndex l, uint8_t pixel) {
  return graph_.Float(Name(l, "padding"), {}, {static_cast<float>(pixel) - 128});
}

std::string QdqForm::PerChannelFloat(LayerIndex l, const std::string& what,
                                     const std::vector<float>& values) {
  return graph_.Float(Name(l, what), {1, static_cast<int64_t>(values.size()), 1, 1}, values);
}

Result<std::string> QdqForm::MapSums(LayerIndex l, int shift) {
  const Parameters parameters = Quantized(l, shift, {});
  BRAID_ASSIGN_OR_RETURN(const Reading reading, ReadForWindow(l));
  std::string sums =
      graph_.Node("Conv", {reading.value, parameters.weights, parameters.bias}, Name(l, "wide"));
  SetWindow(LayerAt(l).window, !reading.padded);
  if (parameters.filter_groups > 1) graph_.SetInt("group", parameters.filter_groups);
  return sums;
}

Result<std::string> QdqForm::Convolution(LayerIndex l) {
  const Layer& layer = LayerAt(l);
  BRAID_ASSIGN_OR_RETURN(std::string value, MapSums(l, kernels::kRequantizationShift));
  if (layer.shortcut != model::kNoLayer) {
    BRAID_ASSIGN_OR_RETURN(const std::string shortcut, Shortcut(l));
    value = graph_.Node("Add", {value, shortcut}, Name(l, "added"));
  }
  Wide(l) = value;
  return Requantize(l, value);
}

// r * mul = clamp(u) * q / 2^s * mul; what is at hand is u * mul_source, all in units of 2^-24.
Result<std::string> QdqForm::Shortcut(LayerIndex l) {
  const Layer& layer = LayerAt(l);
  const LayerTables& tables = TablesAt(l);
  const LayerTables& source = TablesAt(layer.shortcut);
  std::vector<float> limits, factors;
  std::vector<float> negative_limits;
  for (const size_t c : Channels(l)) {
    const double from = source.mul[c];
    if (from == 0) {
      return Unimplemented("layer '" + layer.name + "': the shortcut's channel " +
                           std::to_string(c) +
                           " has the multiplier 0 in its own layer; only the "
                           "integer form can express that");
    }
    const double limit = std::abs(from) * std::ldexp(tables.shortcut_clamp, -24);
    limits.push_back(static_cast<float>(limit));
    negative_limits.push_back(static_cast<float>(-limit));
    factors.push_back(static_cast<float>(
        std::ldexp(static_cast<double>(tables.shortcut_mul[c]) * tables.mul[c] / from,
                   -tables.shortcut_shift)));
  }
  const std::string low = PerChannelFloat(l, "shortcut_low", negative_limits);
  const std::string high = PerChannelFloat(l, "shortcut_high", limits);
  const std::string factor = PerChannelFloat(l, "shortcut_factor", factors);
  const std::string raised =
      graph_.Node("Max", {Wide(layer.shortcut), low}, Name(l, "shortcut_raised"));
  const std::string clamped = graph_.Node("Min", {raised, high}, Name(l, "shortcut_clamped"));
  return graph_.Node("Mul", {clamped, factor}, Name(l, "rescaled"));
}

Result<std::string> QdqForm::SumPool(LayerIndex l) {
  const Layer& layer = LayerAt(l);
  const LayerTables& tables = TablesAt(l);
  const double window = layer.window.kernel_h * layer.window.kernel_w;
  std::vector<float> factors, biases;
  for (const size_t c : Channels(l)) {
    const double mul = std::ldexp(tables.mul[c], -kernels::kRequantizationShift);
    factors.push_back(static_cast<float>(mul * window));
    biases.push_back(static_cast<float>(mul * tables.bias[c]));
  }
  const std::string factor = PerChannelFloat(l, "factor", factors);
  const std::string bias = PerChannelFloat(l, "bias", biases);
  const std::string padded = Pad(l, Map(layer.input), none_);
  const std::string mean = graph_.Node("AveragePool", {padded}, Name(l, "mean"));
  SetWindow(layer.window, false);
  const std::string scaled = graph_.Node("Mul", {mean, factor}, Name(l, "scaled"));
  return Requantize(l, graph_.Node("Add", {scaled, bias}, Name(l, "wide")));
}

Result<std::string> QdqForm::MaxPool(LayerIndex l) {
  const Layer& layer = LayerAt(l);
  const std::string padded = Pad(l, Map(layer.input), none_);
  const std::string largest = graph_.Node("MaxPool", {padded}, Name(l, "largest"));
  SetWindow(layer.window, false);
  const bool u7 = model::MapKind(layer.op, layer.activation) == ElementKind::kU7;
  return Requantized(l, largest, u7 ? zero_u7_ : zero_s8_);
}

Result<std::string> QdqForm::Head(LayerIndex l) {
  const LayerTables& tables = TablesAt(l);
  const auto classes = static_cast<int64_t>(LayerAt(l).Channels());
  const bool map = HasWindow(l);
  BRAID_ASSIGN_OR_RETURN(const std::string wide, map ? MapSums(l, tables.shift) : VectorSums(l));
  std::vector<float> low, high;
  for (const int32_t mul : tables.mul) {
    const double limit =
        std::ldexp(std::abs(static_cast<double>(mul)) * tables.clamp, -tables.shift);
    low.push_back(static_cast<float>(-limit));
    high.push_back(static_cast<float>(limit));
  }
  const std::vector<int64_t> each =
      map ? std::vector<int64_t>{1, classes, 1, 1} : std::vector<int64_t>{classes};
  const std::string least = graph_.Float(Name(l, "low"), each, low);
  const std::string most = graph_.Float(Name(l, "high"), each, high);
  const std::string raised = graph_.Node("Max", {wide, least}, Name(l, "raised"));
  const std::string logits = graph_.Node("Min", {raised, most}, Name(l, "logits"));
  return map ? AnswerOf(l, logits) : logits;
}

Result<std::string> QdqForm::VectorSums(LayerIndex l) {
  const SlicedWeights weights = SliceWeights(network_, LayerAt(l), sub_network_.groups);
  const int64_t classes = weights.shape[0];
  const int64_t depth = static_cast<int64_t>(weights.values.size()) / classes;
  const Parameters parameters = Quantized(l, TablesAt(l).shift, {classes, depth});
  const std::string flat = graph_.Node("Flatten", {Read(l).value}, Name(l, "flat"));
  std::string sums =
      graph_.Node("Gemm", {flat, parameters.weights, parameters.bias}, Name(l, "wide"));
  graph_.SetInt("transB", 1);
  return sums;
}

std::string QdqForm::Requantize(LayerIndex l, const std::string& value) {
  const bool relu = LayerAt(l).activation == model::Activation::kRelu;
  const std::string clipped =
      graph_.Node("Clip", {value, relu ? none_ : least_, most_}, Name(l, "bounded"));
  return Requantized(l, clipped, relu ? zero_u7_ : zero_s8_);
}

std::string QdqForm::Requantized(LayerIndex l, const std::string& value, const std::string& zero) {
  const std::string q = graph_.Node("QuantizeLinear", {value, scale_, zero}, Name(l, "map_q"));
  return graph_.Node("DequantizeLinear", {q, scale_, zero}, Name(l, "map"));
}

}  // namespace braid::convert
