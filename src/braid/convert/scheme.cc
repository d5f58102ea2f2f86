#include "braid/convert/scheme.h"

#include <limits>

#include "braid/convert/input_columns.h"

namespace braid::convert {

using model::Op;

SchemeNetwork::SchemeNetwork(const FloatNetwork& from)
    : from_(from),
      is_shortcut_(from.layers.size(), 0),
      weights_(from.layers.size()),
      zero_(from.layers.size(), 0),
      step_(from.layers.size(), 1),
      weight_step_(from.layers.size(), 0),
      low_(from.layers.size(), -std::numeric_limits<double>::infinity()),
      high_(from.layers.size(), std::numeric_limits<double>::infinity()) {
  for (const FloatLayer& layer : from.layers) {
    if (layer.shortcut >= 0) is_shortcut_[static_cast<size_t>(layer.shortcut)] = 1;
  }
  for (const uint8_t pixel : PaddingPixels(from)) padding_.push_back(pixel - 128.0);
}

LayerMaps SchemeNetwork::Run(std::span<const uint8_t> picture) const {
  const size_t layers = from_.layers.size();
  State state{LayerMaps(layers), LayerMaps(layers)};
  std::vector<double> joined;
  LayerMaps centred(layers);  // without the zero point: what products and pools read
  for (const uint8_t pixel : picture) state.map[0].push_back(pixel - 128.0);
  for (size_t l = 0; l < layers; ++l) {
    const FloatLayer& layer = from_.layers[l];
    const auto input = static_cast<size_t>(layer.input);
    if (layer.op == Op::kMaxPool) {
      state.map[l] = WindowMaxima(layer, from_.layers[input], state.map[input], zero_[input]);
    } else if (layer.op != Op::kInput) {
      const std::vector<double>& map = InputMap(from_, layer, centred, joined);
      Finish(l,
             WindowSums(layer, from_.layers[input], map, weights_[l],
                        PaddingOf(from_, layer, padding_)),
             state);
    }
    centred[l] = state.map[l];
    for (double& v : centred[l]) v -= zero_[l];
  }
  for (size_t l = 0; l < layers; ++l) {
    for (double& v : centred[l]) v *= step_[l];
  }
  return centred;
}

}  // namespace braid::convert
