// What all operators ask of values and layers, and operators that make no layer. Layer: convert.
#include "braid/convert/lowering.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

namespace braid::convert {

using model::Op;

FloatLayer& Lowering::LayerOf(const Binding& binding) {
  return network_.layers[static_cast<size_t>(binding.layer)];
}

Result<Binding> Lowering::Bound(const OnnxNode& node, size_t i) const {
  BRAID_ASSIGN_OR_RETURN(Binding binding, BoundMaps(node, i));
  if (!binding.parts.empty()) return Unimplemented("its input is a concatenation");
  return binding;
}

std::vector<Part> Lowering::PartsOf(const Binding& binding) {
  if (!binding.parts.empty()) return binding.parts;
  return {{binding.layer, false}};
}

int Lowering::ChannelsOf(const Binding& binding) const {
  int channels = 0;
  for (const Part& part : PartsOf(binding)) {
    channels += network_.layers[static_cast<size_t>(part.layer)].channels;
  }
  return channels;
}

Result<Binding> Lowering::BoundMaps(const OnnxNode& node, size_t i) const {
  if (i >= node.inputs.size()) return InvalidArgument("input " + std::to_string(i) + " is missing");
  const auto found = bound_.find(node.inputs[i]);
  if (found == bound_.end()) {
    return Unimplemented("input " + std::to_string(i) + " is not the output of a layer");
  }
  if (found->second.wide && node.op != "Add") {
    return Unimplemented("others read the convolution's output after the activation");
  }
  return found->second;
}

const OnnxTensor* Lowering::Constant(const OnnxNode& node, size_t i) const {
  if (i >= node.inputs.size()) return nullptr;
  const auto found = constants_.find(node.inputs[i]);
  return found == constants_.end() ? nullptr : &found->second;
}

bool Lowering::UsedOnce(const std::string& value) const {
  const auto found = uses_.find(value);
  return found != uses_.end() && found->second == 1;
}

bool Lowering::OthersAdd(const OnnxNode& node) const {
  const std::string& value = node.inputs[0];
  int additions = 0;
  for (const OnnxNode& other : graph_.nodes) {
    if (other.op != "Add" || Constant(other, 0) != nullptr || Constant(other, 1) != nullptr) continue;
    additions += static_cast<int>(std::count(other.inputs.begin(), other.inputs.end(), value));
  }
  const auto found = uses_.find(value);
  return found != uses_.end() && additions + 1 == found->second;
}

Status Lowering::Rebind(const OnnxNode& node, const Binding& binding) {
  LayerOf(binding).value = node.outputs[0];
  bound_[node.outputs[0]] = binding;
  return OkStatus();
}

Status Lowering::Append(const OnnxNode& node, FloatLayer layer, bool flat) {
  layer.name = node.name.empty() ? node.outputs[0] : node.name;
  layer.value = node.outputs[0];
  network_.layers.push_back(std::move(layer));
  bound_[node.outputs[0]] = {.layer = static_cast<int>(network_.layers.size()) - 1, .flat = flat};
  return OkStatus();
}

Status Lowering::Open(const OnnxNode& node, const Binding& binding, size_t i) {
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

Result<std::vector<double>> Lowering::PerChannel(const OnnxTensor& constant, int channels,
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

Status Lowering::Alias(const OnnxNode& node) {
  BRAID_ASSIGN_OR_RETURN(const Binding binding, BoundMaps(node, 0));
  bound_[node.outputs[0]] = binding;
  if (!binding.parts.empty()) return OkStatus();
  if (LayerOf(binding).value == node.inputs[0]) LayerOf(binding).value = node.outputs[0];
  return OkStatus();
}

Status Lowering::LastAlias(const OnnxNode& node) {
  if (!final_seen_) return Unimplemented("only as the last operator");
  BRAID_ASSIGN_OR_RETURN(const Binding binding, Bound(node, 0));
  bound_[node.outputs[0]] = binding;  // the layer's value stays that of the logits
  return OkStatus();
}

Status Lowering::Transpose(const OnnxNode& node) {
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

void Lowering::SetWindow(FloatLayer& layer, const NodeWindow& from) {
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

Status Lowering::Flatten(const OnnxNode& node) {
  BRAID_ASSIGN_OR_RETURN(Binding binding, BoundMaps(node, 0));
  if (binding.channels_last) return Unimplemented("the input before it is transposed");
  const FloatLayer& layer = LayerOf(binding);
  const int64_t elements = int64_t{ChannelsOf(binding)} * layer.out_h * layer.out_w;
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

}  // namespace braid::convert
