#include "braid/convert/calibrate.h"

#include <algorithm>
#include <cmath>

#include "braid/convert/graph_run.h"

namespace braid::convert {
namespace {

using model::Op;

constexpr int kBatch = 32;

// The scaling that the user gave is applied here; what the graph does to its input itself (inside of
// network.scaling as well) it does.
OnnxTensor MakeInput(const OnnxGraph& graph, const FloatNetwork& network, const Pictures& pictures,
                     const ImportOptions& options, int first, int count) {
  const auto h = static_cast<size_t>(pictures.height), w = static_cast<size_t>(pictures.width);
  const auto c = static_cast<size_t>(pictures.channels), n = static_cast<size_t>(count);
  OnnxTensor input;
  input.integer = graph.input_is_bytes;
  input.values.resize(n * h * w * c);
  const auto of = [](const std::vector<double>& values, size_t channel) {
    return values.size() == 1 ? values[0] : values[channel];
  };
  const uint8_t* pixels = pictures.pixels.data() + static_cast<size_t>(first) * h * w * c;
  for (size_t image = 0; image < n; ++image) {
    for (size_t p = 0; p < h * w; ++p) {
      for (size_t channel = 0; channel < c; ++channel) {
        const double pixel = pixels[(image * h * w + p) * c + channel];
        const size_t to = network.nhwc ? (image * h * w + p) * c + channel
                                       : (image * c + channel) * h * w + p;
        input.values[to] = (pixel - of(options.mean, channel)) / of(options.std, channel);
      }
    }
  }
  const int64_t ih = pictures.height, iw = pictures.width, ic = pictures.channels;
  input.shape = network.nhwc ? std::vector<int64_t>{count, ih, iw, ic}
                             : std::vector<int64_t>{count, ic, ih, iw};
  return input;
}

int ValueChannels(const FloatLayer& layer) {
  return layer.value_channels > 0 ? layer.value_channels : layer.channels;
}

// [n,C,H,W] or [n,C] -> [n,H,W,C], of the layer's channels, rectified where the layer is.
std::vector<double> ChannelsLast(const OnnxTensor& from, const FloatLayer& layer, int count) {
  const auto n = static_cast<size_t>(count), c = static_cast<size_t>(layer.channels);
  const auto pixels = static_cast<size_t>(layer.out_h) * static_cast<size_t>(layer.out_w);
  const auto all = static_cast<size_t>(ValueChannels(layer));
  const auto first = static_cast<size_t>(layer.first_channel);
  std::vector<double> to(n * c * pixels);
  for (size_t image = 0; image < n; ++image) {
    for (size_t channel = 0; channel < c; ++channel) {
      for (size_t p = 0; p < pixels; ++p) {
        const double value = from.values[(image * all + first + channel) * pixels + p];
        to[(image * pixels + p) * c + channel] = layer.relu ? std::max(value, 0.0) : value;
      }
    }
  }
  return to;
}

}  // namespace

Result<Calibration> Calibrate(const OnnxGraph& graph, const FloatNetwork& network,
                              const Pictures& pictures, const ImportOptions& options) {
  Calibration result;
  const size_t layers = network.layers.size();
  result.layers.resize(layers);
  // A batch extent that the graph fixes is kept to.
  const int64_t fixed = graph.input_shape.front();
  const int step = fixed > 0 ? static_cast<int>(std::min<int64_t>(fixed, pictures.count)) : kBatch;
  if (fixed > pictures.count) {
    return InvalidArgument("the graph takes batches of " + std::to_string(fixed) +
                           " only, and there are fewer pictures");
  }
  std::vector<bool> unbounded(layers, false);
  for (const FloatLayer& layer : network.layers) {
    if (layer.op != Op::kSumPool) continue;
    const FloatLayer& source = network.layers[static_cast<size_t>(layer.input)];
    unbounded[static_cast<size_t>(layer.input)] =
        layer.window.kernel_h == source.out_h && layer.window.kernel_w == source.out_w;
  }
  int batches = 0;
  std::vector<double> sums(layers, 0);
  std::vector<std::vector<double>> magnitudes(layers);  // of the whole calibration, ascending later
  for (int first = 0; first + (fixed > 0 ? step : 1) <= pictures.count; first += step) {
    const int count = std::min(step, pictures.count - first);
    BRAID_ASSIGN_OR_RETURN(const auto values, RunGraph(graph, MakeInput(graph, network, pictures,
                                                                        options, first, count)));
    ++batches;
    for (size_t l = 1; l < layers; ++l) {
      const FloatLayer& layer = network.layers[l];
      const auto found = values.find(layer.value);
      const auto expected = static_cast<size_t>(count) * static_cast<size_t>(ValueChannels(layer)) *
                            static_cast<size_t>(layer.out_h) * static_cast<size_t>(layer.out_w);
      if (found == values.end() || found->second.values.size() != expected) {
        return Internal("layer '" + layer.name + "' has values of another shape than planned");
      }
      std::vector<double> map = ChannelsLast(found->second, layer, count);
      if (!std::all_of(map.begin(), map.end(), [](double v) { return std::isfinite(v); })) {
        return InvalidArgument("layer '" + layer.name + "': values overflow on these pictures");
      }
      double& widest = result.layers[l].widest;
      for (const double v : found->second.values) widest = std::max(widest, std::abs(v));
      if (batches == 1) result.first_values.resize(layers), result.first_values[l] = map;
      for (double& v : map) v = std::abs(v);
      const size_t rank =
          unbounded[l] ? map.size() - 1
                       : std::min(map.size() - 1,
                                  static_cast<size_t>(options.rank * static_cast<double>(map.size())));
      std::nth_element(map.begin(), map.begin() + static_cast<ptrdiff_t>(rank), map.end());
      sums[l] += map[rank];
      const double largest = *std::max_element(map.begin(), map.end());
      result.layers[l].largest = std::max(result.layers[l].largest, largest);
      // Only what may lie beyond a bound is kept: of each batch, the upper hundredth and twice what
      // the rank leaves, since a batch's own rank may lie below the mean's.
      const double kept = std::min(1.0, 0.01 + 2 * (1 - options.rank));
      const auto tail = static_cast<ptrdiff_t>(
          map.size() - static_cast<size_t>(kept * static_cast<double>(map.size() - 1)) - 1);
      std::nth_element(map.begin(), map.begin() + tail, map.end());
      magnitudes[l].insert(magnitudes[l].end(), map.begin() + tail, map.end());
    }
    if (batches == 1) result.first_count = count;
  }
  if (batches == 0) return InvalidArgument("no calibration pictures");
  const int used = fixed > 0 ? batches * step : pictures.count;
  for (size_t l = 1; l < layers; ++l) {
    const FloatLayer& layer = network.layers[l];
    LayerStatistics& statistics = result.layers[l];
    statistics.bound = unbounded[l] ? statistics.largest : sums[l] / batches;
    if (layer.cap > 0) statistics.bound = std::min(statistics.bound, layer.cap);
    if (!(statistics.bound > 0)) statistics.bound = 1;  // never active
    const auto beyond = std::count_if(magnitudes[l].begin(), magnitudes[l].end(),
                                      [&](double v) { return v > statistics.bound; });
    const double total = static_cast<double>(used) * layer.channels * layer.out_h * layer.out_w;
    statistics.clipped_share = static_cast<double>(beyond) / total;
  }
  return result;
}

}  // namespace braid::convert
