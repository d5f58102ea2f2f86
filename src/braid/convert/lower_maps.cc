// Additions as shortcuts, and pools. Layer: convert.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "braid/convert/lowering.h"

namespace braid::convert {

using model::Op;

namespace {

// An identity convolution has their square in weights.
constexpr int kMostIdentityChannels = 4096;

}  // namespace

Status Lowering::Add(const OnnxNode& node) {
  if (node.inputs.size() != 2) return InvalidArgument("expected two inputs");
  if (Constant(node, 0) != nullptr || Constant(node, 1) != nullptr) return Affine(node);
  BRAID_ASSIGN_OR_RETURN(Binding a, Bound(node, 0));
  BRAID_ASSIGN_OR_RETURN(Binding b, Bound(node, 1));
  if (AnswersWithImage(node, 0)) return Restore(node, a, b, 1);
  if (AnswersWithImage(node, 1)) return Restore(node, b, a, 1);
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
  if (a.wide && Reaches(a.layer, b.layer)) {
    return Unimplemented("a shortcut out of what it is added to");
  }
  if (!HasWeights(from) || (from.relu && !a.wide) || Reaches(a.layer, b.layer)) {
    BRAID_ASSIGN_OR_RETURN(shortcut, IdentityOf(a));
  }
  network_.layers[static_cast<size_t>(b.layer)].shortcut = shortcut;
  return Rebind(node, b);
}

bool Lowering::Reaches(int from, int other) const {
  std::vector<int> open = {from};
  std::set<int> seen;
  while (!open.empty()) {
    const int l = open.back();
    open.pop_back();
    if (l < 0 || !seen.insert(l).second) continue;
    if (l == other) return true;
    const FloatLayer& layer = network_.layers[static_cast<size_t>(l)];
    open.push_back(layer.input);
    open.push_back(layer.shortcut);
    open.insert(open.end(), layer.more_inputs.begin(), layer.more_inputs.end());
  }
  return false;
}

Result<int> Lowering::IdentityOf(const Binding& binding) {
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

template <typename Make>
Status Lowering::AppendEach(const OnnxNode& node, const Binding& binding, Make make, bool flat) {
  if (binding.parts.empty()) {
    BRAID_ASSIGN_OR_RETURN(FloatLayer layer, make(binding.layer));
    return Append(node, std::move(layer), flat);
  }
  Binding made = binding;
  made.flat = flat;
  const int channels = ChannelsOf(binding);
  int first = 0;
  for (Part& part : made.parts) {
    BRAID_ASSIGN_OR_RETURN(FloatLayer layer, make(part.layer));
    layer.name = (node.name.empty() ? node.outputs[0] : node.name) + "_" + std::to_string(first);
    const int count = layer.channels;
    network_.layers.push_back(std::move(layer));
    part = {static_cast<int>(network_.layers.size()) - 1, true};
    ShowAs(node, part, channels, first);
    first += count;
  }
  made.layer = made.parts.front().layer;
  bound_[node.outputs[0]] = std::move(made);
  return OkStatus();
}

Status Lowering::MaxPool(const OnnxNode& node) {
  BRAID_ASSIGN_OR_RETURN(const Binding binding, BoundMaps(node, 0));
  return AppendEach(node, binding, [&](int input) -> Result<FloatLayer> {
    if (binding.flat || input == 0) return Unimplemented("only after a convolution");
    const FloatLayer& source = network_.layers[static_cast<size_t>(input)];
    BRAID_ASSIGN_OR_RETURN(const NodeWindow window,
                           WindowOf(node, source.out_h, source.out_w, 0, 0));
    FloatLayer layer;
    layer.op = Op::kMaxPool;
    layer.input = input;
    layer.channels = source.channels;
    layer.relu = source.relu;
    SetWindow(layer, window);
    const model::Window& w = layer.window;
    if (!source.relu && w.pad_top + w.pad_left + w.pad_bottom + w.pad_right > 0) {
      return Unimplemented("padding around values that may be negative");
    }
    return layer;
  });
}

Status Lowering::AveragePool(const OnnxNode& node) {
  BRAID_ASSIGN_OR_RETURN(const Binding binding, BoundMaps(node, 0));
  bool flat = false;
  if (node.op == "ReduceMean") {
    const auto axes = node.ints.find("axes");
    const bool whole = axes != node.ints.end() && (axes->second == std::vector<int64_t>{2, 3} ||
                                                   axes->second == std::vector<int64_t>{-2, -1} ||
                                                   axes->second == std::vector<int64_t>{-1, -2});
    if (!whole) return Unimplemented("only over height and width");
    const auto keep = node.ints.find("keepdims");
    flat = keep != node.ints.end() && keep->second == std::vector<int64_t>{0};
  }
  const auto make = [&](int input) -> Result<FloatLayer> {
    if (binding.flat || input == 0) return Unimplemented("only after a convolution");
    const FloatLayer& source = network_.layers[static_cast<size_t>(input)];
    FloatLayer layer;
    layer.op = Op::kSumPool;
    layer.input = input;
    layer.channels = source.channels;
    layer.relu = source.relu;
    if (node.op != "AveragePool") {
      layer.window.kernel_h = source.out_h, layer.window.kernel_w = source.out_w;
      layer.out_h = layer.out_w = 1;
      return layer;
    }
    BRAID_ASSIGN_OR_RETURN(const NodeWindow window,
                           WindowOf(node, source.out_h, source.out_w, 0, 0));
    SetWindow(layer, window);
    const model::Window& w = layer.window;
    const auto counts = node.ints.find("count_include_pad");
    const bool all = counts != node.ints.end() && counts->second == std::vector<int64_t>{1};
    if (!all && w.pad_top + w.pad_left + w.pad_bottom + w.pad_right > 0) {
      return Unimplemented("a mean that leaves the padding out");
    }
    return layer;
  };
  return AppendEach(node, binding, make, flat);
}

}  // namespace braid::convert
