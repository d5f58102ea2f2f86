#include "braid/convert/float_run.h"

#include <algorithm>
#include <limits>

#include "braid/convert/input_columns.h"

namespace braid::convert {
namespace {

using model::Op;

// Calls visit(output pixel, input pixel or -1 where it is padding, position in the window).
template <typename Visit>
void ForEachWindowPixel(const FloatLayer& layer, const FloatLayer& source, Visit visit) {
  const model::Window& w = layer.window;
  for (int y = 0; y < layer.out_h; ++y) {
    for (int x = 0; x < layer.out_w; ++x) {
      for (int ky = 0; ky < w.kernel_h; ++ky) {
        for (int kx = 0; kx < w.kernel_w; ++kx) {
          const int in_y = y * w.stride_h + ky - w.pad_top, in_x = x * w.stride_w + kx - w.pad_left;
          const bool inside = in_y >= 0 && in_x >= 0 && in_y < source.out_h && in_x < source.out_w;
          visit(y * layer.out_w + x, inside ? in_y * source.out_w + in_x : -1,
                ky * w.kernel_w + kx);
        }
      }
    }
  }
}

size_t Elements(const FloatLayer& layer) {
  return static_cast<size_t>(layer.out_h) * static_cast<size_t>(layer.out_w) *
         static_cast<size_t>(layer.channels);
}

}  // namespace

std::vector<double> OutputsLast(const FloatLayer& layer, std::span<const double> weights) {
  const auto outputs = static_cast<size_t>(layer.channels);
  const size_t depth = weights.size() / outputs;
  std::vector<double> turned(weights.size());
  for (size_t o = 0; o < outputs; ++o) {
    for (size_t i = 0; i < depth; ++i) turned[i * outputs + o] = weights[o * depth + i];
  }
  return turned;
}

std::vector<double> WindowSums(const FloatLayer& layer, const FloatLayer& source,
                               const std::vector<double>& input,
                               const std::vector<double>& weights,
                               const std::vector<double>& padding) {
  std::vector<double> sums(Elements(layer), 0);
  const auto outputs = static_cast<size_t>(layer.channels);
  const size_t inputs =
      input.size() / (static_cast<size_t>(source.out_h) * static_cast<size_t>(source.out_w));
  ForEachWindowPixel(layer, source, [&](int to, int from, int position) {
    if (from < 0 && padding.empty()) return;
    double* out = sums.data() + static_cast<size_t>(to) * outputs;
    const double* in =
        from < 0 ? padding.data() : input.data() + static_cast<size_t>(from) * inputs;
    if (layer.op == Op::kSumPool) {
      for (size_t c = 0; c < outputs; ++c) out[c] += in[c];
      return;
    }
    const double* w = weights.data() + static_cast<size_t>(position) * inputs * outputs;
    for (size_t i = 0; i < inputs; ++i, w += outputs) {
      const double value = in[i];
      if (value == 0) continue;  // most of a rectified map
      for (size_t o = 0; o < outputs; ++o) out[o] += value * w[o];
    }
  });
  return sums;
}

std::vector<double> PaddingOf(const FloatNetwork& network, const FloatLayer& layer,
                              const std::vector<double>& image) {
  std::vector<int> inputs = {layer.input};
  inputs.insert(inputs.end(), layer.more_inputs.begin(), layer.more_inputs.end());
  if (image.empty() || std::ranges::find(inputs, 0) == inputs.end()) return {};
  std::vector<double> padding;
  for (const int input : inputs) {
    const auto channels =
        static_cast<size_t>(network.layers[static_cast<size_t>(input)].channels);
    if (input == 0) {
      padding.insert(padding.end(), image.begin(), image.end());
    } else {
      padding.resize(padding.size() + channels, 0);
    }
  }
  return padding;
}

std::vector<double> WindowMaxima(const FloatLayer& layer, const FloatLayer& source,
                                 const std::vector<double>& input, double padding) {
  std::vector<double> maxima(Elements(layer), -std::numeric_limits<double>::infinity());
  const auto channels = static_cast<size_t>(layer.channels);
  ForEachWindowPixel(layer, source, [&](int to, int from, int) {
    double* out = maxima.data() + static_cast<size_t>(to) * channels;
    for (size_t c = 0; c < channels; ++c) {
      out[c] = std::max(out[c],
                        from < 0 ? padding : input[static_cast<size_t>(from) * channels + c]);
    }
  });
  return maxima;
}

FloatRun::FloatRun(const FloatNetwork& network) : network_(network) {
  for (const FloatLayer& layer : network.layers) {
    weights_.push_back(OutputsLast(layer, AllChannels(network, layer, layer.weights)));
  }
}

FloatMaps FloatRun::Run(std::span<const uint8_t> picture) const {
  const size_t layers = network_.layers.size();
  FloatMaps maps{LayerMaps(layers), LayerMaps(layers), LayerMaps(layers)};
  for (const uint8_t pixel : picture) maps.map[0].push_back(pixel - 128.0);
  std::vector<double> joined;
  for (size_t l = 1; l < layers; ++l) {
    const FloatLayer& layer = network_.layers[l];
    const FloatLayer& source = network_.layers[static_cast<size_t>(layer.input)];
    const std::vector<double>& input = InputMap(network_, layer, maps.map, joined);
    if (layer.op == Op::kMaxPool) {
      maps.map[l] = WindowMaxima(layer, source, input, 0);
      continue;
    }
    std::vector<double> values = WindowSums(layer, source, input, weights_[l],
                                            PaddingOf(network_, layer, network_.padding));
    const auto channels = static_cast<size_t>(layer.channels);
    if (layer.op == Op::kSumPool) {
      const double window = layer.window.kernel_h * layer.window.kernel_w;
      for (double& v : values) v /= window;
    }
    for (size_t i = 0; !layer.bias.empty() && i < values.size(); ++i) {
      values[i] += layer.bias[i % channels];
    }
    if (layer.shortcut >= 0) {
      maps.sum[l] = values;
      const std::vector<double>& added = maps.wide[static_cast<size_t>(layer.shortcut)];
      for (size_t i = 0; i < values.size(); ++i) values[i] += added[i];
    }
    maps.wide[l] = values;
    for (double& v : values) {
      if (layer.relu) v = std::max(v, 0.0);
      if (layer.cap > 0) v = std::min(v, layer.cap);
    }
    maps.map[l] = std::move(values);
  }
  return maps;
}

}  // namespace braid::convert
