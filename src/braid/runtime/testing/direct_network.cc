#include "braid/runtime/testing/direct_network.h"

#include <algorithm>
#include <limits>

#include "braid/base/check.h"

namespace braid::runtime::testing {
namespace {

using model::Activation;
using model::Layer;
using model::LayerIndex;
using model::LayerTables;
using model::Op;

class DirectNetwork {
 public:
  DirectNetwork(const model::Network& network, int sub_network)
      : network_(network),
        sub_network_(network.sub_networks[static_cast<size_t>(sub_network)]),
        maps_(network.layers.size()),
        wide_(network.layers.size()) {}

  std::vector<int32_t> Run(LayerIndex head, std::span<const uint8_t> pixels) {
    for (const uint8_t pixel : pixels) maps_[0].push_back(int64_t{pixel} - 128);
    for (LayerIndex i = 1; i <= head; ++i) RunLayer(static_cast<size_t>(i));
    const auto& logits = maps_[static_cast<size_t>(head)];
    return {logits.begin(), logits.end()};
  }

 private:
  static int64_t InS32(int64_t value) {
    BRAID_CHECK(value >= std::numeric_limits<int32_t>::min() &&
                value <= std::numeric_limits<int32_t>::max())
        << value << " leaves s32";
    return value;
  }

  static int64_t Rescale(int64_t value, int64_t clamp, int64_t mul, int32_t shift) {
    return InS32(std::clamp(value, -clamp, clamp) * mul + (int64_t{1} << (shift - 1))) >> shift;
  }

  static int64_t Requantize(int64_t value, int64_t mul, bool relu) {
    const int64_t m = mul < 0 ? -mul : mul;
    if (m == 0) return 0;
    const int64_t h = (127 * (int64_t{1} << 24) + m / 2) / m;
    const int64_t turned = mul < 0 ? -value : value;
    return InS32(std::clamp(turned, relu ? 0 : -h, h) * m + (1 << 23)) >> 24;
  }

  bool Present(const Layer& layer, int channel) const {
    if (!layer.Divided()) return true;
    int group = 0;
    while (channel >= layer.GroupOffset(group + 1)) ++group;
    return sub_network_.groups.Contains(group);
  }

  // The value at (y, x, channel) of a layer's map; 0 outside of the map, or what pads the image.
  int64_t Input(LayerIndex index, int y, int x, int channel) const {
    const Layer& input = network_.layers[static_cast<size_t>(index)];
    if (y < 0 || y >= input.out_h || x < 0 || x >= input.out_w) {
      if (index != 0 || network_.input_padding.empty()) return 0;
      return int64_t{network_.input_padding[static_cast<size_t>(channel)]} - 128;
    }
    return maps_[static_cast<size_t>(index)]
                [static_cast<size_t>((y * input.out_w + x) * input.Channels() + channel)];
  }

  // The values that output channel `o` meets at one tap, in the order of its weights.
  std::vector<int64_t> Tap(const Layer& layer, int y, int x, int o) const {
    std::vector<int64_t> values;
    for (const LayerIndex map : layer.Inputs()) {
      const int channels = network_.layers[static_cast<size_t>(map)].Channels();
      for (int i = 0; i < channels; ++i) values.push_back(Input(map, y, x, i));
    }
    if (layer.filter_channels == 0) return values;
    // Blocks and runs of outputs are counted within the channel group of `o`.
    const Layer& map = network_.layers[static_cast<size_t>(layer.input)];
    int group = 0;
    while (o >= layer.GroupOffset(group + 1)) ++group;
    const auto at = static_cast<size_t>(group);
    const int blocks = map.group_channels[at] / layer.filter_channels;
    const int outputs_of_block = layer.group_channels[at] / blocks;
    const int block = (o - layer.GroupOffset(group)) / outputs_of_block;
    const auto first = values.begin() + map.GroupOffset(group) + block * layer.filter_channels;
    return {first, first + layer.filter_channels};
  }

  // Sum, or maximum, over the window at (y, x) for output channel `o`.
  int64_t Window(const Layer& layer, int y, int x, int o) const {
    const Layer& input = network_.layers[static_cast<size_t>(layer.input)];
    // A head without a window covers the map: from (0, 0) at its one position.
    const bool covers = layer.op == Op::kLinear && layer.window == model::Window{} &&
                        layer.out_h == 1 && layer.out_w == 1;
    const int kernel_h = covers ? input.out_h : layer.window.kernel_h;
    const int kernel_w = covers ? input.out_w : layer.window.kernel_w;
    int64_t sum = 0;
    int64_t maximum = -128;
    for (int ky = 0; ky < kernel_h; ++ky) {
      for (int kx = 0; kx < kernel_w; ++kx) {
        const int in_y = y * layer.window.stride_h - layer.window.pad_top + ky;
        const int in_x = x * layer.window.stride_w - layer.window.pad_left + kx;
        if (layer.op == Op::kMaxPool || layer.op == Op::kSumPool) {
          const int64_t value = Input(layer.input, in_y, in_x, o);
          sum += value;
          maximum = std::max(maximum, value);
          continue;
        }
        const std::vector<int64_t> values = Tap(layer, in_y, in_x, o);
        const size_t at = (static_cast<size_t>((o * kernel_h + ky) * kernel_w + kx)) * values.size();
        for (size_t i = 0; i < values.size(); ++i) sum += values[i] * layer.weights[at + i];
      }
    }
    return layer.op == Op::kMaxPool ? maximum : sum;
  }

  // Channels of absent groups stay 0 everywhere, so that sums over all channels are right.
  void RunLayer(size_t index) {
    const Layer& layer = network_.layers[index];
    const LayerTables& tables = sub_network_.tables[index];
    for (int y = 0; y < layer.out_h; ++y) {
      for (int x = 0; x < layer.out_w; ++x) {
        for (int o = 0; o < layer.Channels(); ++o) {
          int64_t value = 0;
          int64_t wide = 0;
          if (Present(layer, o)) {
            value = Window(layer, y, x, o);
            if (layer.op != Op::kMaxPool) {
              wide = Wide(layer, tables, value, wide_[index].size(), o);
              value = Epilogue(layer, tables, wide, o);
            }
          }
          wide_[index].push_back(wide);
          maps_[index].push_back(value);
        }
      }
    }
  }

  int64_t Wide(const Layer& layer, const LayerTables& tables, int64_t sum, size_t at, int o) const {
    const auto c = static_cast<size_t>(o);
    int64_t wide = InS32(sum + tables.bias[c]);
    if (layer.shortcut != model::kNoLayer) {
      wide += Rescale(wide_[static_cast<size_t>(layer.shortcut)][at], tables.shortcut_clamp,
                      tables.shortcut_mul[c], tables.shortcut_shift);
    }
    return InS32(wide);
  }

  static int64_t Epilogue(const Layer& layer, const LayerTables& tables, int64_t wide, int o) {
    const int64_t mul = tables.mul[static_cast<size_t>(o)];
    if (layer.activation == Activation::kLogits) {
      return Rescale(wide, tables.clamp, mul, tables.shift);
    }
    return Requantize(wide, mul, layer.activation == Activation::kRelu);
  }

  const model::Network& network_;
  const model::SubNetwork& sub_network_;
  std::vector<std::vector<int64_t>> maps_;  // [layers], each [H,W,C] over all groups
  std::vector<std::vector<int64_t>> wide_;
};

}  // namespace

std::vector<int32_t> DirectLogits(const model::Network& network, int sub_network, LayerIndex head,
                                  std::span<const uint8_t> pixels) {
  return DirectNetwork(network, sub_network).Run(head, pixels);
}

std::vector<int32_t> DirectLogitsOfBatch(const model::Network& network, int sub_network,
                                         LayerIndex head, std::span<const uint8_t> pixels, int n) {
  const size_t per_image = pixels.size() / static_cast<size_t>(n);
  std::vector<int32_t> all;
  for (size_t image = 0; image < static_cast<size_t>(n); ++image) {
    const std::vector<int32_t> one =
        DirectLogits(network, sub_network, head, pixels.subspan(image * per_image, per_image));
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

}  // namespace braid::runtime::testing
