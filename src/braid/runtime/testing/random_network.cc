#include "braid/runtime/testing/random_network.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "braid/base/rng.h"
#include "braid/kernels/requantization.h"
#include "braid/model/cost.h"
#include "braid/model/layer_map.h"
#include "braid/model/operating_point_name.h"

namespace braid::runtime::testing {
namespace {

using model::Activation;
using model::Layer;
using model::LayerIndex;
using model::LayerTables;
using model::Network;
using model::Op;
using model::Window;

class Generator {
 public:
  Generator(uint64_t seed, const RandomNetworkOptions& options) : rng_(seed), options_(options) {
    network_.name = "random_s" + std::to_string(seed);
    network_.groups = options.groups;
    network_.card = "{}";
    for (int c = 0; c < options.classes; ++c)
      network_.labels.push_back("class" + std::to_string(c));
  }

  Network Random() {
    // One draw a statement: compilers evaluate arguments in orders of their own.
    const int c = Int(1, 3), w = Int(3, options_.max_side), h = Int(3, options_.max_side);
    AddInput(h, w, c);
    const Window window = OneIn(2, options_.concatenations) ? SameWindow() : RandomWindow(0);
    AddConv(0, RandomChannels(), window, false);
    const int layers = Int(1, options_.max_layers);
    for (int i = 1; i < layers; ++i) AddAnyLayer();
    AddHead(Last());
    return Finish();
  }

  Network Restoring(int layers, int height, int width) {
    AddInput(height, width, 1);
    const Window same{
        .kernel_h = 3, .kernel_w = 3, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};
    const std::vector<int> groups(static_cast<size_t>(options_.groups), 8);
    for (int i = 0; i < layers; ++i) AddConv(Last(), groups, same, false);
    if (layers >= 4) network_.layers[static_cast<size_t>(layers) - 1].shortcut = 1;
    AddHead(Last(), same);
    return WithSmallAnswers(Finish());
  }

  Network Concatenating(int layers) {
    AddInput(6, 6, 1);
    const Window same{
        .kernel_h = 3, .kernel_w = 3, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};
    for (int i = 0; i < layers; ++i) {
      AddConv(Last(), {4, 4}, same, false);
      ReadAll(0);
    }
    AddHead(Last());
    ReadAll(1);
    return Finish();
  }

  Network Branching(int height, int width) {
    const auto same = [](int kernel) {
      const int pad = kernel / 2;
      return Window{.kernel_h = kernel,
                    .kernel_w = kernel,
                    .pad_top = pad,
                    .pad_left = pad,
                    .pad_bottom = pad,
                    .pad_right = pad};
    };
    AddInput(height, width, 1);
    const std::vector<int> groups(static_cast<size_t>(options_.groups), 4);
    AddConv(0, groups, same(5), false);
    AddConv(1, groups, same(5), false);
    AddConv(1, groups, same(3), false);
    for (const int kernel : {3, 1}) {
      AddConv(3, groups, same(kernel), false);
      Join(2);
    }
    AddHead(5, same(3));
    Join(4);
    return WithSmallAnswers(Finish());
  }

  Network SmallImage(int channels) {
    AddInput(28, 28, 1);
    const std::vector<int> groups(static_cast<size_t>(options_.groups), channels);
    for (const int stride : {2, 2, 1}) {
      AddConv(Last(), groups,
              {.kernel_h = 3,
               .kernel_w = 3,
               .stride_h = stride,
               .stride_w = stride,
               .pad_top = 1,
               .pad_left = 1,
               .pad_bottom = 1,
               .pad_right = 1},
              false);
      network_.layers.back().activation = Activation::kRelu;
    }
    AddHead(Last());
    return Finish();
  }

 private:
  int Int(int low, int high) { return static_cast<int>(rng_.Between(low, high)); }
  // Draws only where `possible`, so that networks without a form stay as they are.
  bool OneIn(int n, bool possible) { return possible && OneIn(n); }
  bool OneIn(int n) { return Int(1, n) == 1; }
  const Layer& At(LayerIndex i) const { return network_.layers[static_cast<size_t>(i)]; }
  // The last layer whose map another can read.
  LayerIndex Last() const {
    auto i = static_cast<LayerIndex>(network_.layers.size()) - 1;
    while (At(i).op == Op::kLinear) --i;
    return i;
  }

  Layer& Add(Op op, LayerIndex input, std::string name) {
    Layer layer;
    layer.name = std::move(name) + std::to_string(network_.layers.size());
    layer.op = op;
    layer.input = input;
    network_.layers.push_back(std::move(layer));
    return network_.layers.back();
  }

  void AddInput(int h, int w, int c) {
    Layer& layer = Add(Op::kInput, model::kNoLayer, "input");
    layer.activation = Activation::kSigned;
    layer.out_h = network_.input_h = h;
    layer.out_w = network_.input_w = w;
    layer.group_channels = {network_.input_c = c};
    if (!options_.padding) return;
    // Never 128 in every channel, which is written as no padding.
    for (int i = 0; i < c; ++i) {
      network_.input_padding.push_back(static_cast<uint8_t>(OneIn(4) ? 0 : Int(129, 255)));
    }
  }

  std::vector<int> RandomChannels() {
    std::vector<int> channels(static_cast<size_t>(options_.groups), 8);
    if (OneIn(2)) {
      for (int& c : channels) c = 4 * Int(1, 5);
    }
    return channels;
  }

  // 1x1 or 3x3, which keeps its input's size.
  Window SameWindow() {
    const int k = 2 * Int(0, 1) + 1;
    return {.kernel_h = k,
            .kernel_w = k,
            .pad_top = k / 2,
            .pad_left = k / 2,
            .pad_bottom = k / 2,
            .pad_right = k / 2};
  }

  Window RandomWindow(LayerIndex input) {
    const auto side = [this](int in, int& kernel, int& stride, int& before, int& after) {
      kernel = Int(1, 4);
      stride = Int(1, 2);
      before = Int(0, kernel - 1);
      after = Int(0, kernel - 1);
      kernel = std::min(kernel, in + before + after);
      before = std::min(before, kernel - 1);
      after = std::min(after, kernel - 1);
      kernel = std::min(kernel, in + before + after);
    };
    Window w;
    side(At(input).out_h, w.kernel_h, w.stride_h, w.pad_top, w.pad_bottom);
    side(At(input).out_w, w.kernel_w, w.stride_w, w.pad_left, w.pad_right);
    return w;
  }

  static void SetWindow(Layer& layer, const Layer& input, const Window& w) {
    layer.window = w;
    layer.out_h = (input.out_h + w.pad_top + w.pad_bottom - w.kernel_h) / w.stride_h + 1;
    layer.out_w = (input.out_w + w.pad_left + w.pad_right - w.kernel_w) / w.stride_w + 1;
  }

  void AddConv(LayerIndex input, std::vector<int> channels, const Window& window, bool grouped) {
    Layer& layer = Add(Op::kConv, input, "conv");
    layer.activation = OneIn(4) ? Activation::kSigned : Activation::kRelu;
    layer.dense = !grouped;
    layer.group_channels = std::move(channels);
    SetWindow(layer, At(input), window);
    if (OneIn(2, options_.concatenations)) Concatenate();
    if (At(input).Divided() && OneIn(2, options_.filters)) NarrowFilters(1 << Int(0, 2));
    FillWeights(layer);
  }

  // Sometimes makes the last layer read further maps of the same size.
  void Concatenate() {
    Layer& layer = network_.layers.back();
    const Layer& first = At(layer.input);
    for (LayerIndex i = Last(); i >= 0; --i) {
      const Layer& map = At(i);
      if (i == layer.input || &map == &layer || map.op == Op::kLinear ||
          map.out_h != first.out_h || map.out_w != first.out_w ||
          (layer.op == Op::kLinear && !map.Divided())) {
        continue;
      }
      if (OneIn(2)) layer.more_inputs.push_back(i);
    }
  }

  // Makes the last layer read the map of `other` too.
  void Join(LayerIndex other) {
    Layer& layer = network_.layers.back();
    layer.more_inputs.push_back(other);
    layer.weights.clear();
    FillWeights(layer);
  }

  // Answers of a few gray levels, from accumulators of some 10^5.
  static Network WithSmallAnswers(Network network) {
    for (model::SubNetwork& sub_network : network.sub_networks) {
      sub_network.tables.back().mul.assign(1, 1);
    }
    return network;
  }

  // Makes the last layer read all maps from `first` on, the nearest first.
  void ReadAll(LayerIndex first) {
    Layer& layer = network_.layers.back();
    for (LayerIndex i = layer.input - 1; i >= first; --i) layer.more_inputs.push_back(i);
    layer.weights.clear();
    FillWeights(layer);
  }

  // Makes the last layer a convolution of a few channels a filter: 1, 2 or 4.
  void NarrowFilters(int width) {
    Layer& layer = network_.layers.back();
    layer.dense = false;
    layer.more_inputs.clear();
    layer.filter_channels = width;
    const int factor = Int(1, 2);
    layer.group_channels.clear();
    for (const int channels : At(layer.input).group_channels) {
      // With 4 inputs and outputs a filter the runtime uses generated code, with 12 outputs not.
      layer.group_channels.push_back(width == 4 && factor == 2 && OneIn(2) ? 3 * channels
                                                                           : factor * channels);
    }
  }

  void FillWeights(Layer& layer) {
    const model::WeightExtents extents = model::WeightExtentsOf(network_, layer);
    std::vector<const model::InputBlock*> block_of;  // [input channels]
    const std::vector<model::InputBlock> blocks = model::InputBlocksOf(network_, layer);
    for (const model::InputBlock& block : blocks) {
      block_of.insert(block_of.end(), static_cast<size_t>(block.channels), &block);
    }
    const auto group_of = [](const Layer& l, int64_t channel) {
      int group = 0;
      while (channel >= l.GroupOffset(group + 1)) ++group;
      return group;
    };
    for (int64_t o = 0; o < extents.outputs; ++o) {
      for (int64_t p = 0; p < extents.kernel_h * extents.kernel_w; ++p) {
        for (int64_t i = 0; i < extents.inputs; ++i) {
          const bool crosses = !layer.dense && layer.filter_channels == 0 &&
                               !model::Reads(layer, group_of(layer, o),
                                             *block_of[static_cast<size_t>(i)]);
          const auto weight =
              static_cast<int8_t>(OneIn(16) ? (OneIn(2) ? 127 : -127) : Int(-127, 127));
          layer.weights.push_back(crosses ? int8_t{0} : weight);
        }
      }
    }
  }

  void AddPool(LayerIndex input, bool sum) {
    const Window window = RandomWindow(input);
    Layer& layer = Add(sum ? Op::kSumPool : Op::kMaxPool, input, sum ? "sum" : "max");
    layer.group_channels = At(input).group_channels;
    layer.activation = At(input).activation;
    if (sum && OneIn(2)) layer.activation = Activation::kRelu;
    SetWindow(layer, At(input), window);
  }

  void AddHead(LayerIndex input, const Window& window = {}) {
    Layer& layer = Add(Op::kLinear, input, "head");
    layer.activation = Activation::kLogits;
    layer.out_h = layer.out_w = 1;
    layer.group_channels = {options_.classes};
    if (window != Window{}) SetWindow(layer, At(input), window);
    if (options_.map_heads && OneIn(2)) SetWindow(layer, At(input), RandomWindow(input));
    if (OneIn(2, options_.concatenations)) Concatenate();
    FillWeights(layer);
  }

  // A convolution that keeps its input's size, and, where one fits, adds an earlier layer.
  void AddResidual(LayerIndex input) {
    const Window same = SameWindow();
    AddConv(input, At(input).group_channels, same, options_.grouped && OneIn(3));
    Layer& layer = network_.layers.back();
    for (auto i = static_cast<LayerIndex>(network_.layers.size()) - 2; i > 0; --i) {
      const Layer& from = At(i);
      if (from.op == Op::kConv && from.out_h == layer.out_h && from.out_w == layer.out_w &&
          from.group_channels == layer.group_channels) {
        layer.shortcut = i;
        if (OneIn(2)) break;  // sometimes one further back
      }
    }
  }

  void AddAnyLayer() {
    // Mostly a chain; now and then a branch, so that maps live longer and layers go unread.
    LayerIndex input = Last();
    if (OneIn(6)) {
      input = Int(1, Last());
      while (At(input).op == Op::kLinear) --input;
    }
    switch (Int(0, 5)) {
      case 0:
        if (options_.pools) return AddPool(input, false);
        break;
      case 1:
        if (options_.pools) return AddPool(input, true);
        break;
      case 2:
      case 3:
        if (options_.shortcuts) return AddResidual(input);
        break;
      case 4:
        if (options_.exits) return AddHead(input);
        break;
      default:
        break;
    }
    const bool grouped = options_.grouped && OneIn(3);
    // Maps of one size are what can be read together.
    const Window window = OneIn(2, options_.concatenations) ? SameWindow() : RandomWindow(input);
    AddConv(input, RandomChannels(), window, grouped);
  }

  Network Finish() {
    for (uint32_t mask = 1; mask < (1u << options_.groups); ++mask) {
      model::SubNetwork sub_network{.groups = GroupSet(mask), .tables = {}};
      for (const Layer& layer : network_.layers) {
        sub_network.tables.push_back(RandomTables(layer, sub_network.groups));
      }
      network_.sub_networks.push_back(std::move(sub_network));
    }
    AddPoints();
    return std::move(network_);
  }

  // The usual magnitude of an accumulator: that of a random walk of products.
  double UsualSum(const Layer& layer, GroupSet groups) const {
    constexpr double kUsualInput = 60;
    constexpr double kUsualWeight = 75;
    if (layer.op == Op::kSumPool)
      return kUsualInput * layer.window.kernel_h * layer.window.kernel_w;
    const model::WeightExtents extents = model::WeightExtentsOf(network_, layer);
    const int inputs = layer.filter_channels > 0 ? layer.filter_channels
                                                 : model::InputChannelsOf(network_, layer, groups);
    return kUsualInput * kUsualWeight *
           std::sqrt(static_cast<double>(extents.kernel_h * extents.kernel_w * inputs));
  }

  int32_t RandomMultiplier(double usual_sum) {
    constexpr int32_t kTop = kernels::kMaxMultiplier;
    static constexpr int32_t kExtremes[] = {0, 1, -1, kTop, -kTop, kTop - 1};
    if (OneIn(24)) return kExtremes[rng_.Below(std::size(kExtremes))];
    const double usual = 127.0 * kTop / (2 * usual_sum) * (0.5 + 1.5 * rng_.Uniform());
    const auto mul = static_cast<int32_t>(std::min<double>(usual, kTop));
    return OneIn(5) ? -mul : mul;
  }

  LayerTables RandomTables(const Layer& layer, GroupSet groups) {
    LayerTables tables;
    if (layer.op == Op::kInput || layer.op == Op::kMaxPool) return tables;
    const double usual_sum = UsualSum(layer, groups);
    const auto bias_range = static_cast<int>(usual_sum);
    const bool logits = layer.op == Op::kLinear;
    for (size_t g = 0; g < layer.group_channels.size(); ++g) {
      const bool present = !layer.Divided() || groups.Contains(static_cast<int>(g));
      for (int c = 0; c < layer.group_channels[g]; ++c) {
        tables.bias.push_back(present ? Int(-bias_range, bias_range) : 0);
        const int32_t mul = logits ? Int(1, 1500) : RandomMultiplier(usual_sum);
        tables.mul.push_back(present ? mul : 0);
        if (layer.shortcut != model::kNoLayer) {
          tables.shortcut_mul.push_back(present ? Int(-8000, 8000) : 0);
        }
      }
    }
    // clamp * mul + rounding stays below 2^31 for the ranges above.
    if (logits) tables.clamp = 1 << 20, tables.shift = 8;
    if (layer.shortcut != model::kNoLayer) {
      tables.shortcut_clamp = Int(1000, 260'000), tables.shortcut_shift = 12;
    }
    return tables;
  }

  void AddPoints() {
    for (LayerIndex head = 0; head < static_cast<LayerIndex>(network_.layers.size()); ++head) {
      if (At(head).op != Op::kLinear) continue;
      for (int s = 0; s < static_cast<int>(network_.sub_networks.size()); ++s) {
        model::OperatingPoint point;
        point.terms = {s};
        point.head = head;
        point.name = model::FormatPointName({network_.sub_networks[static_cast<size_t>(s)].groups},
                                            model::ExitOfHead(network_, head));
        const model::Cost cost = model::PointCost(network_, point);
        point.macs_mean = point.macs_worst = cost.macs;
        point.weight_bytes = cost.weight_bytes;
        network_.points.push_back(std::move(point));
      }
    }
  }

  Rng rng_;
  RandomNetworkOptions options_;
  Network network_;
};

}  // namespace

Network RandomNetwork(uint64_t seed, const RandomNetworkOptions& options) {
  return Generator(seed, options).Random();
}

Network SmallImageNetwork(uint64_t seed, int groups, int channels) {
  RandomNetworkOptions options;
  options.groups = groups;
  return Generator(seed, options).SmallImage(channels);
}

Network ConcatenatingNetwork(uint64_t seed, int layers) {
  RandomNetworkOptions options;
  options.groups = 2;
  return Generator(seed, options).Concatenating(layers);
}

Network RestoringNetwork(uint64_t seed, int layers, int height, int width, int groups) {
  RandomNetworkOptions options;
  options.groups = groups;
  options.classes = 1;
  return Generator(seed, options).Restoring(layers, height, width);
}

Network BranchingNetwork(uint64_t seed, int height, int width, int groups) {
  RandomNetworkOptions options;
  options.groups = groups;
  options.classes = 1;
  return Generator(seed, options).Branching(height, width);
}

std::vector<uint8_t> RandomPixels(uint64_t seed, const Network& network, int n) {
  Rng rng(seed);
  std::vector<uint8_t> pixels(static_cast<size_t>(n) * static_cast<size_t>(network.input_h) *
                              static_cast<size_t>(network.input_w) *
                              static_cast<size_t>(network.input_c));
  for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(rng.Next());
  return pixels;
}

}  // namespace braid::runtime::testing
