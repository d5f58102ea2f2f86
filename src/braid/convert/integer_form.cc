#include "braid/convert/integer_form.h"

#include "braid/kernels/requantization.h"
#include "braid/model/layer_map.h"

namespace braid::convert {

using model::Layer;
using model::LayerIndex;
using model::LayerTables;

IntegerForm::IntegerForm(const model::Network& network, int sub_network, int term,
                         GraphWriter& graph)
    : TermWriter(network, sub_network, term, graph),
      zero_u7_(graph.Uint8(Name(0, "zero_u7"), {}, {0})),
      zero_s8_(graph.Uint8(Name(0, "zero_s8"), {}, {128})) {}

const std::string& IntegerForm::Zero(ElementKind kind) const {
  return kind == ElementKind::kU7 ? zero_u7_ : zero_s8_;
}

// The same integer above the zero point 128. ONNX adds no uint8 before opset 14.
std::string IntegerForm::AsSigned(LayerIndex map) {
  if (const auto found = signed_.find(map); found != signed_.end()) return found->second;
  const std::string wide = graph_.Node("Cast", {Map(map)}, Name(map, "unsigned"));
  graph_.SetInt("to", onnx::TensorProto::INT32);
  const std::string offset = graph_.Int32(Name(map, "signed_offset"), {}, {128});
  const std::string shifted = graph_.Node("Add", {wide, offset}, Name(map, "signed_wide"));
  const std::string as_signed = graph_.Node("Cast", {shifted}, Name(map, "signed"));
  graph_.SetInt("to", onnx::TensorProto::UINT8);
  return signed_.emplace(map, as_signed).first->second;
}

std::string IntegerForm::Joined(LayerIndex, const std::string& value, ElementKind) { return value; }

std::string IntegerForm::PixelConstant(LayerIndex l, uint8_t pixel) {
  return graph_.Uint8(Name(l, "padding"), {}, {pixel});
}

// A pixel is pixel - 128 with the zero point 128.
Result<std::string> IntegerForm::Input(const std::string& pixels) { return pixels; }

Result<std::string> IntegerForm::Convolution(LayerIndex l) {
  BRAID_ASSIGN_OR_RETURN(const std::string acc, MapProducts(l));
  return Epilogue(l, acc);
}

Result<std::string> IntegerForm::MapProducts(LayerIndex l) {
  const Layer& layer = LayerAt(l);
  const SlicedWeights weights = SliceWeights(network_, layer, sub_network_.groups);
  const std::string w = graph_.Int8(Name(l, "weights"), weights.shape, weights.values);
  BRAID_ASSIGN_OR_RETURN(const Reading reading, ReadForWindow(l));
  std::string acc =
      graph_.Node("ConvInteger", {reading.value, w, Zero(reading.kind)}, Name(l, "acc"));
  SetWindow(layer.window, !reading.padded);
  if (weights.filter_groups > 1) graph_.SetInt("group", weights.filter_groups);
  return acc;
}

Result<std::string> IntegerForm::SumPool(LayerIndex l) {
  const Layer& layer = LayerAt(l);
  const auto channels = static_cast<int64_t>(Channels(l).size());
  const model::Window& window = layer.window;
  const std::vector<int64_t> shape = {channels, 1, window.kernel_h, window.kernel_w};
  const std::string ones = graph_.Int8(
      Name(l, "ones"), shape,
      std::vector<int8_t>(static_cast<size_t>(channels * window.kernel_h * window.kernel_w), 1));
  const std::string acc =
      graph_.Node("ConvInteger", {Map(layer.input), ones, ZeroOf(layer.input)}, Name(l, "acc"));
  SetWindow(window, true);
  graph_.SetInt("group", channels);
  return Epilogue(l, acc);
}

// Padding counts as the integer 0, so it is made explicit: ONNX's own counts as minus infinity.
Result<std::string> IntegerForm::MaxPool(LayerIndex l) {
  const Layer& layer = LayerAt(l);
  const std::string padded = Pad(l, Map(layer.input), ZeroOf(layer.input));
  const std::string map = graph_.Node("MaxPool", {padded}, Name(l, "map"));
  SetWindow(layer.window, false);
  return map;
}

Result<std::string> IntegerForm::Head(LayerIndex l) {
  const LayerTables& tables = TablesAt(l);
  const auto classes = static_cast<int64_t>(LayerAt(l).Channels());
  const bool map = HasWindow(l);
  BRAID_ASSIGN_OR_RETURN(const std::string acc, map ? MapProducts(l) : VectorProducts(l));
  const std::vector<int64_t> each =
      map ? std::vector<int64_t>{1, classes, 1, 1} : std::vector<int64_t>{classes};
  const std::string bias = graph_.Int32(Name(l, "bias"), each, tables.bias);
  const std::string sum = graph_.Node("Add", {acc, bias}, Name(l, "wide"));
  const std::string clamped = Clamp(l, "range", sum, {}, {-tables.clamp}, {tables.clamp});
  const std::string logits =
      MultiplyAndShift(l, "logits", clamped, each, tables.mul, tables.shift, false);
  return map ? AnswerOf(l, logits) : logits;
}

Result<std::string> IntegerForm::VectorProducts(LayerIndex l) {
  const SlicedWeights weights = SliceWeights(network_, LayerAt(l), sub_network_.groups);
  const auto classes = static_cast<size_t>(weights.shape[0]);
  const size_t depth = weights.values.size() / classes;
  std::vector<int8_t> columns(weights.values.size());  // [depth, classes]
  for (size_t c = 0; c < classes; ++c) {
    for (size_t i = 0; i < depth; ++i) columns[i * classes + c] = weights.values[c * depth + i];
  }
  const std::string w = graph_.Int8(
      Name(l, "weights"), {static_cast<int64_t>(depth), static_cast<int64_t>(classes)}, columns);
  const Reading reading = Read(l);
  const std::string flat = graph_.Node("Flatten", {reading.value}, Name(l, "flat"));
  return graph_.Node("MatMulInteger", {flat, w, Zero(reading.kind)}, Name(l, "acc"));
}

std::string IntegerForm::Clamp(LayerIndex l, const std::string& what, const std::string& value,
                               const std::vector<int64_t>& shape, const std::vector<int32_t>& low,
                               const std::vector<int32_t>& high) {
  const std::string least = graph_.Int32(Name(l, what + "_low"), shape, low);
  const std::string most = graph_.Int32(Name(l, what + "_high"), shape, high);
  const std::string raised = graph_.Node("Max", {value, least}, Name(l, what + "_raised"));
  return graph_.Node("Min", {raised, most}, Name(l, what + "_clamped"));
}

std::string IntegerForm::MultiplyAndShift(LayerIndex l, const std::string& what,
                                          const std::string& value,
                                          const std::vector<int64_t>& shape,
                                          const std::vector<int32_t>& mul, int shift,
                                          bool positive) {
  const std::string factor = graph_.Int32(Name(l, what + "_mul"), shape, mul);
  const std::string half = graph_.Int32(Name(l, what + "_half"), {}, {int32_t{1} << (shift - 1)});
  const std::string whole = graph_.Int32(Name(l, what + "_power"), {}, {int32_t{1} << shift});
  const std::string product = graph_.Node("Mul", {value, factor}, Name(l, what + "_product"));
  std::string sum = graph_.Node("Add", {product, half}, Name(l, what + "_sum"));
  if (!positive) {
    const std::string rest = graph_.Node("Mod", {sum, whole}, Name(l, what + "_rest"));
    sum = graph_.Node("Sub", {sum, rest}, Name(l, what + "_even"));
  }
  return graph_.Node("Div", {sum, whole}, Name(l, what));
}

std::string IntegerForm::Epilogue(LayerIndex l, const std::string& accumulator) {
  const Layer& layer = LayerAt(l);
  const LayerTables& tables = TablesAt(l);
  const std::vector<size_t> channels = Channels(l);
  const std::vector<int64_t> shape = PerChannel(channels);
  const std::string bias = graph_.Int32(Name(l, "bias"), shape, Pick(tables.bias, channels));
  std::string v = graph_.Node("Add", {accumulator, bias}, Name(l, "biased"));
  if (layer.shortcut != model::kNoLayer) {
    const std::string u = Clamp(l, "shortcut", Wide(layer.shortcut), {}, {-tables.shortcut_clamp},
                                {tables.shortcut_clamp});
    const std::string r = MultiplyAndShift(
        l, "rescaled", u, shape, Pick(tables.shortcut_mul, channels), tables.shortcut_shift, false);
    v = graph_.Node("Add", {v, r}, Name(l, "added"));
  }
  Wide(l) = v;

  const bool relu = layer.activation == model::Activation::kRelu;
  const std::vector<int32_t> mul = Pick(tables.mul, channels);
  std::vector<int32_t> low, high;
  for (const int32_t m : mul) {
    const kernels::ClampInterval interval = kernels::ClampIntervalFor(m, relu);
    low.push_back(interval.low);
    high.push_back(interval.high);
  }
  const std::string clamped = Clamp(l, "bound", v, shape, low, high);
  // After the clamp of a ReLU the product's sign is that of mul times that of the value: positive.
  std::string y =
      MultiplyAndShift(l, "integer", clamped, shape, mul, kernels::kRequantizationShift, relu);
  if (!relu) {
    const std::string offset = graph_.Int32(Name(l, "offset"), {}, {128});
    y = graph_.Node("Add", {y, offset}, Name(l, "shifted"));
  }
  const std::string map = graph_.Node("Cast", {y}, Name(l, "map"));
  graph_.SetInt("to", onnx::TensorProto::UINT8);
  return map;
}

}  // namespace braid::convert
