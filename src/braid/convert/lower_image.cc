// Networks that restore images: their answer is the image and what they add to it. Layer: convert.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>

#include "braid/convert/lowering.h"

namespace braid::convert {

namespace {

// Operators that leave an image as it is, or as its pixels can show it.
bool PassesImageOn(const std::string& op) {
  static const std::set<std::string> kOperators = {"Cast",    "Clip",     "DequantizeLinear",
                                                   "Dropout", "Identity", "QuantizeLinear"};
  return kOperators.contains(op);
}

}  // namespace

bool Lowering::AnswersWithImage(const OnnxNode& node, size_t i) const {
  const Binding& image = bound_.at(node.inputs[i]);
  const Binding& other = bound_.at(node.inputs[1 - i]);
  if (image.layer != 0 || other.layer == 0) return false;
  std::string value = node.outputs[0];
  // The chain of its only readers, to the output.
  for (size_t steps = 0; steps <= graph_.nodes.size(); ++steps) {
    if (value == graph_.outputs[0]) return true;
    if (!UsedOnce(value)) return false;
    const auto reader = std::ranges::find_if(graph_.nodes, [&](const OnnxNode& candidate) {
      return !candidate.inputs.empty() && candidate.inputs[0] == value;
    });
    if (reader == graph_.nodes.end() || !PassesImageOn(reader->op)) return false;
    value = reader->outputs[0];
  }
  return false;
}

Status Lowering::Subtract(const OnnxNode& node) {
  if (node.inputs.size() != 2) return InvalidArgument("expected two inputs");
  if (Constant(node, 0) != nullptr || Constant(node, 1) != nullptr) return Affine(node);
  BRAID_ASSIGN_OR_RETURN(const Binding input, Bound(node, 0));
  BRAID_ASSIGN_OR_RETURN(const Binding taken, Bound(node, 1));
  if (!AnswersWithImage(node, 0)) {
    return Unimplemented(
        "one map minus another, but for the image minus what is not to be in it, as "
        "the answer");
  }
  return Restore(node, input, taken, -1);
}

Status Lowering::Restore(const OnnxNode& node, const Binding& input, const Binding& answer,
                         int sign) {
  if (input.channels_last) return Unimplemented("the image before it is transposed");
  const FloatLayer& image = network_.layers[0];
  const FloatLayer& map = LayerOf(answer);
  if (image.channels != 1 || map.channels != 1 || map.out_h != image.out_h ||
      map.out_w != image.out_w || answer.flat) {
    return Unimplemented("an image of " + ShapeText({image.out_h, image.out_w, image.channels}) +
                         " with a map of " + ShapeText({map.out_h, map.out_w, map.channels}) +
                         "; images are restored that have one channel, with a map of their size");
  }
  if (!(network_.scaling.scale[0] > 0)) {
    return Unimplemented("an image whose pixels are turned round");
  }
  network_.image_sign = sign;
  bound_[node.outputs[0]] = answer;  // and the layer's value stays what is added, for calibration
  return OkStatus();
}

Status Lowering::BehindImage(const OnnxNode& node) {
  if (!PassesImageOn(node.op)) {
    return Unimplemented("behind the restored image; only what leaves it as it is may follow");
  }
  BRAID_ASSIGN_OR_RETURN(const Binding binding, Bound(node, 0));
  if (node.op == "Clip") {
    // Pixels end at 0 and 255; a graph that ends elsewhere would show other images.
    const auto [low, high] = LimitsOf(node, std::numeric_limits<double>::infinity());
    const double scale = network_.scaling.scale[0], shift = network_.scaling.shift[0];
    const double half = scale / 2;
    if (low > shift + half || high < 255 * scale + shift - half) {
      return Unimplemented("a clip that pixels of 0 to 255 do not survive");
    }
  }
  bound_[node.outputs[0]] = binding;
  return OkStatus();
}

}  // namespace braid::convert
