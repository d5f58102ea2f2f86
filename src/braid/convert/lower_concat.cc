// Concatenations: no layer, but several maps that later operators read or change one by one; and the
// depthwise convolutions that carry what no convolution before a map can take in. Layer: convert.
#include <algorithm>
#include <utility>

#include "braid/convert/lowering.h"
#include "braid/model/limits.h"

namespace braid::convert {

using model::Op;

Status Lowering::Concat(const OnnxNode& node) {
  Binding joined;
  const auto axis = node.ints.find("axis");
  const bool channels = axis != node.ints.end() && (axis->second == std::vector<int64_t>{1} ||
                                                    axis->second == std::vector<int64_t>{-3});
  if (!channels) return Unimplemented("only of channels");
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    BRAID_ASSIGN_OR_RETURN(const Binding binding, BoundMaps(node, i));
    const FloatLayer& layer = LayerOf(binding);
    if (binding.channels_last || (binding.flat && !IsVector(layer))) {
      return Unimplemented("input " + std::to_string(i) + " is no map [N,C,H,W]");
    }
    if (i == 0) joined.layer = binding.layer, joined.flat = binding.flat;
    const FloatLayer& first = LayerOf(joined);
    if (layer.out_h != first.out_h || layer.out_w != first.out_w || binding.flat != joined.flat) {
      return InvalidArgument("its inputs have different sizes");
    }
    for (Part part : PartsOf(binding)) {
      part.own = (binding.parts.empty() || part.own) && UsedOnce(node.inputs[i]);
      const bool again = std::any_of(joined.parts.begin(), joined.parts.end(),
                                     [&](const Part& p) { return p.layer == part.layer; });
      if (again) return Unimplemented("the same map twice");
      joined.parts.push_back(part);
    }
  }
  if (joined.parts.empty()) return InvalidArgument("no inputs");
  if (joined.parts.size() > static_cast<size_t>(model::kMaxInputs)) {
    return Unimplemented("more than " + std::to_string(model::kMaxInputs) + " maps");
  }
  if (joined.parts.size() == 1) joined.parts.clear();
  bound_[node.outputs[0]] = std::move(joined);
  return OkStatus();
}

FloatLayer Lowering::ChannelwiseOf(int source, std::span<const double> factor,
                                   std::span<const double> offset) const {
  const FloatLayer& from = network_.layers[static_cast<size_t>(source)];
  FloatLayer layer;
  layer.op = Op::kConv;
  layer.input = source;
  layer.channels = from.channels, layer.out_h = from.out_h, layer.out_w = from.out_w;
  layer.filter_channels = 1;
  layer.weights.assign(factor.begin(), factor.end());
  layer.bias.assign(offset.begin(), offset.end());
  return layer;
}

void Lowering::Carry(const OnnxNode& node, Part& part, int first_channel,
                     std::span<const double> factor, std::span<const double> offset) {
  FloatLayer layer = ChannelwiseOf(part.layer, factor, offset);
  layer.name =
      (node.name.empty() ? node.outputs[0] : node.name) + "_" + std::to_string(first_channel);
  network_.layers.push_back(std::move(layer));
  part = {static_cast<int>(network_.layers.size()) - 1, true};
}

FloatLayer& Lowering::ShowAs(const OnnxNode& node, const Part& part, int channels,
                             int first_channel) {
  FloatLayer& layer = network_.layers[static_cast<size_t>(part.layer)];
  layer.value = node.outputs[0];
  layer.value_channels = channels, layer.first_channel = first_channel;
  return layer;
}

Status Lowering::ScaleMap(const OnnxNode& node, const Binding& binding, size_t i,
                          const std::vector<double>& factor, const std::vector<double>& offset) {
  if (!binding.parts.empty()) return ScaleParts(node, binding, i, factor, offset);
  const Status open = Open(node, binding, i);
  if (open.ok()) {
    Scale(LayerOf(binding), factor, offset);
    return Rebind(node, binding);
  }
  if (binding.layer == 0) return open;  // pixels have no groups, which a depthwise layer keeps to
  return Append(node, ChannelwiseOf(binding.layer, factor, offset), binding.flat);
}

Status Lowering::ScaleParts(const OnnxNode& node, const Binding& binding, size_t i,
                            const std::vector<double>& factor, const std::vector<double>& offset) {
  const bool once = UsedOnce(node.inputs[i]);
  Binding scaled = binding;
  const int channels = ChannelsOf(binding);
  int first = 0;
  for (Part& part : scaled.parts) {
    if (part.layer == 0) return Unimplemented("a linear step on a concatenation with the input");
    FloatLayer& layer = network_.layers[static_cast<size_t>(part.layer)];
    const auto count = static_cast<size_t>(layer.channels);
    const auto factors = std::span(factor).subspan(static_cast<size_t>(first), count);
    const auto offsets = std::span(offset).subspan(static_cast<size_t>(first), count);
    if (once && part.own && HasWeights(layer) && !layer.relu && layer.shortcut < 0) {
      Scale(layer, {factors.begin(), factors.end()}, {offsets.begin(), offsets.end()});
    } else {
      Carry(node, part, first, factors, offsets);
    }
    ShowAs(node, part, channels, first);
    first += static_cast<int>(count);
  }
  scaled.layer = scaled.parts.front().layer;
  bound_[node.outputs[0]] = std::move(scaled);
  return OkStatus();
}

Status Lowering::RectifyParts(const OnnxNode& node, const Binding& binding, double cap) {
  const bool once = UsedOnce(node.inputs[0]);
  Binding rectified = binding;
  const int channels = ChannelsOf(binding);
  int first = 0;
  for (Part& part : rectified.parts) {
    if (part.layer == 0) return Unimplemented("a ReLU of a concatenation with the input");
    const auto at = static_cast<size_t>(part.layer);
    const int count = network_.layers[at].channels;
    if (network_.layers[at].relu && !(cap > 0)) {
      part.own = part.own && once;
      first += count;
      continue;
    }
    if (!(once && part.own && HasWeights(network_.layers[at]))) {
      const std::vector<double> ones(static_cast<size_t>(count), 1);
      Carry(node, part, first, ones, std::vector<double>(static_cast<size_t>(count), 0));
    }
    FloatLayer& layer = ShowAs(node, part, channels, first);
    layer.relu = true;
    if (cap > 0) layer.cap = layer.cap > 0 ? std::min(layer.cap, cap) : cap;
    first += count;
  }
  rectified.layer = rectified.parts.front().layer;
  bound_[node.outputs[0]] = std::move(rectified);
  return OkStatus();
}

}  // namespace braid::convert
