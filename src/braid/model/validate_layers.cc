// Layers: order, operators, shapes, channels, weights.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "braid/model/layer_map.h"
#include "braid/model/limits.h"
#include "braid/model/text.h"
#include "braid/model/validate.h"

namespace braid::model {
namespace {

bool IsPool(const Layer& layer) { return layer.op == Op::kMaxPool || layer.op == Op::kSumPool; }

bool KnownOp(Op op) {
  switch (op) {
    case Op::kInput:
    case Op::kConv:
    case Op::kMaxPool:
    case Op::kSumPool:
    case Op::kLinear:
      return true;
  }
  return false;
}

bool KnownActivation(Activation activation) {
  switch (activation) {
    case Activation::kRelu:
    case Activation::kSigned:
    case Activation::kLogits:
      return true;
  }
  return false;
}

// Checks one layer whose predecessors have passed. Each check may rely on the ones before it.
class LayerValidator {
 public:
  LayerValidator(const Network& network, size_t index)
      : network_(network), index_(index), layer_(network.layers[index]) {}

  Status Run() const {
    BRAID_RETURN_IF_ERROR(Identity());
    if (layer_.op == Op::kInput) return Input();
    BRAID_RETURN_IF_ERROR(Source());
    BRAID_RETURN_IF_ERROR(ActivationAndDensity());
    BRAID_RETURN_IF_ERROR(Shape());
    BRAID_RETURN_IF_ERROR(Channels());
    BRAID_RETURN_IF_ERROR(Filters());
    BRAID_RETURN_IF_ERROR(Shortcut());
    return Weights();
  }

 private:
  Status Error(std::string_view field, const std::string& what) const {
    return FieldError(fmt::format("layers[{}].{}", index_, field), what);
  }
  const Layer& SourceLayer() const { return network_.layers[static_cast<size_t>(layer_.input)]; }

  Status Identity() const {
    if (layer_.name.size() > static_cast<size_t>(kMaxNameBytes) || !IsPlainText(layer_.name)) {
      return Error("name", fmt::format("expected at most {} bytes of UTF-8 text", kMaxNameBytes));
    }
    if (!KnownOp(layer_.op)) {
      return Error("op", fmt::format("unknown operator {}", static_cast<int>(layer_.op)));
    }
    if ((layer_.op == Op::kInput) != (index_ == 0)) {
      return Error("op", "the first layer, and no other, is the input");
    }
    return OkStatus();
  }

  Status Input() const {
    if (layer_.input != kNoLayer) return Error("input", "an input reads no layer");
    if (!layer_.more_inputs.empty()) return Error("more_inputs", "an input reads no layer");
    if (layer_.filter_channels != 0) return Error("filter_channels", "an input has no filters");
    if (layer_.shortcut != kNoLayer) return Error("shortcut", "an input has none");
    if (layer_.window != Window{}) return Error("window", "an input has none");
    if (!layer_.dense) return Error("dense", "only a convolution can be grouped");
    if (layer_.activation != Activation::kSigned) {
      return Error("activation", "an input is signed: pixel - 128");
    }
    if (!layer_.weights.empty()) return Error("weights", "an input has none");
    if (layer_.out_h != network_.input_h || layer_.out_w != network_.input_w) {
      return Error("out_h",
                   fmt::format("{}x{}, expected the network's input of {}x{}", layer_.out_h,
                               layer_.out_w, network_.input_h, network_.input_w));
    }
    if (layer_.group_channels != std::vector<int>{network_.input_c}) {
      return Error("group_channels", fmt::format("expected one entry, {}", network_.input_c));
    }
    return MapSize();
  }

  Status Source() const {
    BRAID_RETURN_IF_ERROR(Readable("input", layer_.input));
    if (layer_.more_inputs.empty()) return OkStatus();
    if (layer_.op != Op::kConv && layer_.op != Op::kLinear) {
      return Error("more_inputs", "only a convolution or a head reads several maps");
    }
    const std::vector<LayerIndex> inputs = layer_.Inputs();
    if (inputs.size() > static_cast<size_t>(kMaxInputs)) {
      return Error("more_inputs", fmt::format("{} inputs in all, at most {}", inputs.size(),
                                              kMaxInputs));
    }
    int64_t channels = SourceLayer().Channels();
    for (size_t i = 0; i < layer_.more_inputs.size(); ++i) {
      const std::string field = fmt::format("more_inputs[{}]", i);
      const LayerIndex input = layer_.more_inputs[i];
      BRAID_RETURN_IF_ERROR(Readable(field, input));
      const auto before = inputs.begin() + static_cast<ptrdiff_t>(i) + 1;
      if (std::find(inputs.begin(), before, input) != before) {
        return Error(field, fmt::format("layer {} again", input));
      }
      const Layer& map = network_.layers[static_cast<size_t>(input)];
      if (map.out_h != SourceLayer().out_h || map.out_w != SourceLayer().out_w) {
        return Error(field, fmt::format("a map of {}x{}, that of the first input is {}x{}",
                                        map.out_h, map.out_w, SourceLayer().out_h,
                                        SourceLayer().out_w));
      }
      channels += map.Channels();
    }
    if (channels > kMaxChannels) {
      return Error("more_inputs",
                   fmt::format("{} channels in all, at most {}", channels, kMaxChannels));
    }
    return OkStatus();
  }

  Status Readable(const std::string& field, LayerIndex input) const {
    if (input < 0 || input >= static_cast<LayerIndex>(index_)) {
      return Error(field, fmt::format("layer {}, expected an earlier layer", input));
    }
    const Layer& source = network_.layers[static_cast<size_t>(input)];
    if (source.op == Op::kLinear) {
      return Error(field, fmt::format("layer {} is a head, which nothing reads", input));
    }
    // A map that every device holds whole would be added once per device by a head, and has no
    // groups that a pool could keep.
    if (layer_.op != Op::kConv && !source.Divided()) {
      return Error(field, "only a convolution reads the network's input");
    }
    return OkStatus();
  }

  Status ActivationAndDensity() const {
    if (!layer_.dense && layer_.op != Op::kConv) {
      return Error("dense", "only a convolution can be grouped");
    }
    if (!KnownActivation(layer_.activation)) {
      return Error("activation",
                   fmt::format("unknown activation {}", static_cast<int>(layer_.activation)));
    }
    const bool linear = layer_.op == Op::kLinear;
    if (linear != (layer_.activation == Activation::kLogits)) {
      return Error("activation",
                   linear ? "a linear layer leaves logits" : "only a linear layer leaves logits");
    }
    const Layer& source = SourceLayer();
    if (layer_.op == Op::kMaxPool && layer_.activation != source.activation) {
      return Error("activation", "a maximum keeps the kind of the map that it reads");
    }
    return OkStatus();
  }

  Status Shape() const {
    // The whole map for a head that has none, whose 1x1 then is what the window gives.
    const Window window = WindowOf(network_, layer_);
    const Layer& source = SourceLayer();
    BRAID_RETURN_IF_ERROR(Axis("h", source.out_h, window.kernel_h, window.stride_h, window.pad_top,
                               window.pad_bottom, layer_.out_h));
    return Axis("w", source.out_w, window.kernel_w, window.stride_w, window.pad_left,
                window.pad_right, layer_.out_w);
  }

  // One axis of a window: out = floor((in + padding - kernel) / stride) + 1.
  Status Axis(const char* axis, int in, int kernel, int stride, int before, int after,
              int out) const {
    const auto window = [axis](const char* field) {
      return fmt::format("window.{}_{}", field, axis);
    };
    if (kernel < 1 || kernel > kMaxMapSide) {
      return Error(window("kernel"), fmt::format("{}, expected 1..{}", kernel, kMaxMapSide));
    }
    if (stride < 1 || stride > kMaxMapSide) {
      return Error(window("stride"), fmt::format("{}, expected 1..{}", stride, kMaxMapSide));
    }
    // Every window then covers at least one element of the map.
    if (before < 0 || before >= kernel || after < 0 || after >= kernel) {
      return Error(window("pad"), fmt::format("{} before and {} after, expected less than the "
                                              "kernel of {}",
                                              before, after, kernel));
    }
    const int padded = in + before + after;
    if (kernel > padded || padded > kMaxMapSide) {
      return Error(window("kernel"), fmt::format("{} over a padded map of {} (at most {})", kernel,
                                                 padded, kMaxMapSide));
    }
    const int expected = (padded - kernel) / stride + 1;
    if (out != expected) {
      return Error(fmt::format("out_{}", axis), fmt::format("{}, expected {}", out, expected));
    }
    return OkStatus();
  }

  Status Channels() const {
    const std::vector<int>& channels = layer_.group_channels;
    const size_t expected = layer_.Divided() ? static_cast<size_t>(network_.groups) : 1;
    if (channels.size() != expected) {
      return Error("group_channels",
                   fmt::format("{} entries, expected {}", channels.size(), expected));
    }
    int64_t sum = 0;
    for (size_t g = 0; g < channels.size(); ++g) {
      const int multiple = layer_.Divided() ? kChannelMultiple : 1;
      if (channels[g] < 1 || channels[g] > kMaxChannels || channels[g] % multiple != 0) {
        return Error(fmt::format("group_channels[{}]", g),
                     fmt::format("{}, expected a multiple of {} in 1..{}", channels[g], multiple,
                                 kMaxChannels));
      }
      sum += channels[g];
    }
    if (sum > kMaxChannels) {
      return Error("group_channels", fmt::format("{} in all, at most {}", sum, kMaxChannels));
    }
    if (IsPool(layer_) && channels != SourceLayer().group_channels) {
      return Error("group_channels", "a pool keeps the channels of the map that it reads");
    }
    if (layer_.op == Op::kLinear && channels[0] != static_cast<int>(network_.labels.size())) {
      return Error("group_channels",
                   fmt::format("{} logits for {} labels", channels[0], network_.labels.size()));
    }
    return MapSize();
  }

  Status Filters() const {
    const int width = layer_.filter_channels;
    if (width == 0) return OkStatus();
    if (layer_.op != Op::kConv) return Error("filter_channels", "only a convolution has filters");
    if (layer_.dense || !layer_.more_inputs.empty() || !SourceLayer().Divided()) {
      return Error("filter_channels",
                   "filters of some channels read one divided map and are not dense");
    }
    for (size_t g = 0; g < layer_.group_channels.size(); ++g) {
      const int inputs = SourceLayer().group_channels[g];
      if (width < 0 || inputs % width != 0 || layer_.group_channels[g] % (inputs / width) != 0) {
        return Error("filter_channels",
                     fmt::format("{} does not divide {} inputs and {} outputs of group {} evenly",
                                 width, inputs, layer_.group_channels[g], g));
      }
    }
    return OkStatus();
  }

  Status MapSize() const {
    const int64_t elements = int64_t{layer_.out_h} * layer_.out_w * layer_.Channels();
    if (elements > kMaxMapElements) {
      return Error("out_h",
                   fmt::format("a map of {} elements, at most {}", elements, kMaxMapElements));
    }
    return OkStatus();
  }

  Status Shortcut() const {
    if (layer_.shortcut == kNoLayer) return OkStatus();
    if (layer_.op != Op::kConv) return Error("shortcut", "only a convolution adds one");
    if (layer_.shortcut < 0 || layer_.shortcut >= static_cast<LayerIndex>(index_)) {
      return Error("shortcut", fmt::format("layer {}, expected an earlier layer", layer_.shortcut));
    }
    const Layer& from = network_.layers[static_cast<size_t>(layer_.shortcut)];
    if (from.op != Op::kConv) {
      return Error("shortcut", fmt::format("layer {} is no convolution", layer_.shortcut));
    }
    if (from.out_h != layer_.out_h || from.out_w != layer_.out_w ||
        from.group_channels != layer_.group_channels) {
      return Error("shortcut", fmt::format("layer {} has another shape or other group channels",
                                           layer_.shortcut));
    }
    return OkStatus();
  }

  Status Weights() const {
    if (IsPool(layer_)) {
      return layer_.weights.empty() ? OkStatus() : Error("weights", "a pool has none");
    }
    const WeightExtents extents = WeightExtentsOf(network_, layer_);
    const int64_t expected = extents.Elements();
    if (static_cast<int64_t>(layer_.weights.size()) != expected) {
      return Error("weights",
                   fmt::format("{} values, expected {}", layer_.weights.size(), expected));
    }
    const auto bad = std::find(layer_.weights.begin(), layer_.weights.end(), int8_t{-128});
    if (bad != layer_.weights.end()) {
      return Error(fmt::format("weights[{}]", bad - layer_.weights.begin()),
                   "-128, expected -127..127");
    }
    return layer_.dense || layer_.filter_channels > 0 ? OkStatus() : CrossBlocks(extents);
  }

  // A grouped convolution: what lies between two groups is zero.
  Status CrossBlocks(const WeightExtents& extents) const {
    const auto inputs = static_cast<ptrdiff_t>(extents.inputs);
    const auto pixels = static_cast<ptrdiff_t>(extents.kernel_h * extents.kernel_w);
    const std::vector<InputBlock> blocks = InputBlocksOf(network_, layer_);
    auto row = layer_.weights.begin();
    for (int group = 0; group < network_.groups; ++group) {
      const ptrdiff_t rows = layer_.group_channels[static_cast<size_t>(group)] * pixels;
      for (ptrdiff_t r = 0; r < rows; ++r, row += inputs) {
        for (const InputBlock& block : blocks) {
          if (Reads(layer_, group, block)) continue;
          const auto first = row + block.first_channel;
          const auto bad =
              std::find_if(first, first + block.channels, [](int8_t w) { return w != 0; });
          if (bad == first + block.channels) continue;
          return Error(fmt::format("weights[{}]", bad - layer_.weights.begin()),
                       "not zero between two groups of a grouped convolution");
        }
      }
    }
    return OkStatus();
  }

  const Network& network_;
  size_t index_;
  const Layer& layer_;
};

}  // namespace

Status ValidateLayers(const Network& network) {
  const size_t count = network.layers.size();
  if (count == 0 || count > static_cast<size_t>(kMaxLayers)) {
    return FieldError("layers", fmt::format("{} layers, expected 1..{}", count, kMaxLayers));
  }
  int64_t weights = 0;
  bool head = false;
  for (size_t i = 0; i < count; ++i) {
    BRAID_RETURN_IF_ERROR(LayerValidator(network, i).Run());
    weights += static_cast<int64_t>(network.layers[i].weights.size());
    head |= network.layers[i].op == Op::kLinear;
  }
  if (weights > kMaxWeightElements) {
    return FieldError("layers", fmt::format("{} weights, at most {}", weights, kMaxWeightElements));
  }
  if (!head) return FieldError("layers", "no linear layer that answers");
  return OkStatus();
}

}  // namespace braid::model
