// Bounded and unbounded ReLUs, also those that a quantized graph implies. Layer: convert.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "braid/convert/lowering.h"

namespace braid::convert {

using model::Op;

Status Lowering::Rectify(const OnnxNode& node, double cap) {
  BRAID_ASSIGN_OR_RETURN(const Binding binding, BoundMaps(node, 0));
  if (!binding.parts.empty()) return RectifyParts(node, binding, cap);
  FloatLayer& layer = LayerOf(binding);
  const auto limit = [cap](FloatLayer& l) {
    if (cap > 0) l.cap = l.cap > 0 ? std::min(l.cap, cap) : cap;
  };
  if (HasWeights(layer)) {
    if (!layer.relu && !UsedOnce(node.inputs[0])) {
      // A shortcut may take the sum before the activation: so the shortcuts of a .braid file are.
      if (!OthersAdd(node)) {
        return Unimplemented("others read the convolution's output before the activation as well");
      }
      bound_[node.inputs[0]].wide = true;
      bound_[node.outputs[0]] = binding;  // and the layer's value stays the sum, for calibration
      layer.relu = true;
      limit(layer);
      return OkStatus();
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

Lowering::Limits Lowering::LimitsOf(const OnnxNode& node, double otherwise_high) const {
  const auto limit = [&](const char* name, size_t input, double otherwise) {
    if (const OnnxTensor* t = Constant(node, input); t != nullptr && !t->values.empty()) {
      return t->values[0];
    }
    const auto found = node.floats.find(name);
    return found == node.floats.end() ? otherwise : found->second;
  };
  return {.low = limit("min", 1, -std::numeric_limits<double>::infinity()),
          .high = limit("max", 2, otherwise_high)};
}

Status Lowering::Clip(const OnnxNode& node) {
  const auto [low, high] = LimitsOf(node, 0);
  if (low != 0 || high < 0) return Unimplemented("a clip whose lower bound is not 0");
  return Rectify(node, high);
}

Status Lowering::Quantize(const OnnxNode& node) {
  BRAID_ASSIGN_OR_RETURN(const Binding binding, BoundMaps(node, 0));
  const OnnxTensor* scale = Constant(node, 1);
  const OnnxTensor* zero = Constant(node, 2);
  if (scale == nullptr || scale->values.size() != 1) {
    return Unimplemented("its scale is not one constant");
  }
  const double least = zero == nullptr ? 0 : zero->least, most = zero == nullptr ? 255 : zero->most;
  const double point = zero == nullptr || zero->values.empty() ? 0 : zero->values[0];
  const std::vector<Part> parts = PartsOf(binding);
  const bool rectifies = std::all_of(parts.begin(), parts.end(), [this](const Part& part) {
    const FloatLayer& layer = network_.layers[static_cast<size_t>(part.layer)];
    return part.layer != 0 && HasWeights(layer) && !layer.relu;
  });
  if (point == least && rectifies && !final_seen_) {
    return Rectify(node, (most - point) * scale->values[0]);
  }
  return Alias(node);
}

Status Lowering::Dequantize(const OnnxNode& node) {
  BRAID_ASSIGN_OR_RETURN(const Binding binding, BoundMaps(node, 0));
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

}  // namespace braid::convert
