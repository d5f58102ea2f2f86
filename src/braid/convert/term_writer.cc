#include "braid/convert/term_writer.h"

#include <algorithm>

#include "braid/model/layer_map.h"

namespace braid::convert {

using model::LayerIndex;
using model::Op;

Result<std::string> TermWriter::Write(const std::string& input, LayerIndex head) {
  const std::vector<bool> needed = model::NeededLayers(network_, head);
  for (LayerIndex l = 0; l <= head; ++l) {
    if (!needed[static_cast<size_t>(l)]) continue;
    const auto add = [&]() -> Result<std::string> {
      switch (LayerAt(l).op) {
        case Op::kInput:
          return Input(input);
        case Op::kConv:
          return Convolution(l);
        case Op::kMaxPool:
          return MaxPool(l);
        case Op::kSumPool:
          return SumPool(l);
        case Op::kLinear:
          return Head(l);
      }
      return Internal("an unknown operator in a valid network");
    };
    BRAID_ASSIGN_OR_RETURN(maps_[static_cast<size_t>(l)], add());
  }
  return Map(head);
}

TermWriter::Reading TermWriter::Read(LayerIndex l) {
  const std::vector<LayerIndex> inputs = LayerAt(l).Inputs();
  if (inputs.size() == 1) return {Map(inputs[0]), KindOf(inputs[0])};
  if (const auto found = joined_.find(inputs); found != joined_.end()) return found->second;
  Reading reading;
  for (const LayerIndex input : inputs) {
    if (KindOf(input) != ElementKind::kU7) reading.kind = ElementKind::kS8;
  }
  std::vector<std::string> parts;
  for (const LayerIndex input : inputs) {
    parts.push_back(KindOf(input) == reading.kind ? Map(input) : AsSigned(input));
  }
  const std::string value = graph_.Node("Concat", parts, Name(l, "concat"));
  graph_.SetInt("axis", 1);
  reading.value = Joined(l, value, reading.kind);
  joined_.emplace(inputs, reading);
  return reading;
}

Result<TermWriter::Reading> TermWriter::ReadForWindow(LayerIndex l) {
  const model::Layer& layer = LayerAt(l);
  const std::vector<uint8_t>& padding = network_.input_padding;
  const std::vector<LayerIndex> inputs = layer.Inputs();
  const bool image = std::ranges::find(inputs, LayerIndex{0}) != inputs.end();
  if (padding.empty() || !image || !Padded(layer.window)) return Read(l);
  const bool one = std::ranges::all_of(padding, [&](uint8_t p) { return p == padding[0]; });
  if (!one || inputs.size() > 1) {
    return Unimplemented("layer '" + layer.name +
                         "': pads the image with a pixel that is not gray, or " +
                         "beside another map; ONNX pads with one number");
  }
  Reading reading = Read(l);
  reading.value = Pad(l, reading.value, PixelConstant(l, padding[0]));
  reading.padded = true;
  return reading;
}

std::string TermWriter::AnswerOf(LayerIndex head, const std::string& logits) {
  if (AnswersWithMap(LayerAt(head))) return logits;
  return graph_.Node("Flatten", {logits}, Name(head, "row"));
}

void TermWriter::SetWindow(const model::Window& window, bool pads) {
  graph_.SetInts("kernel_shape", {window.kernel_h, window.kernel_w});
  graph_.SetInts("strides", {window.stride_h, window.stride_w});
  if (pads && Padded(window)) {
    graph_.SetInts("pads", {window.pad_top, window.pad_left, window.pad_bottom, window.pad_right});
  }
}

std::string TermWriter::Pad(LayerIndex l, const std::string& map, const std::string& zero) {
  const model::Window& w = LayerAt(l).window;
  if (!Padded(w)) return map;
  const std::string pads = graph_.Int64(
      Name(l, "pads"), {8}, {0, 0, w.pad_top, w.pad_left, 0, 0, w.pad_bottom, w.pad_right});
  return graph_.Node("Pad", {map, pads, zero}, Name(l, "padded"));
}

}  // namespace braid::convert
