// The backbones, layer by layer. Layer: training.
#include "braid/training/backbone.h"

#include <utility>
#include <vector>

namespace braid::training {
namespace {

using model::Activation;
using model::Layer;
using model::LayerIndex;
using model::Network;
using model::Op;
using model::Window;

Window Square(int kernel, int stride, int pad) {
  return {kernel, kernel, stride, stride, pad, pad, pad, pad};
}

// Appends layers and keeps track of the map sizes.
class Builder {
 public:
  explicit Builder(const BackboneSpec& spec) : dense_(spec.dense) {
    network_.groups = kGroups;
    network_.input_h = spec.height;
    network_.input_w = spec.width;
    network_.input_c = spec.image_channels;
    Layer input;
    input.name = "input";
    input.op = Op::kInput;
    input.activation = Activation::kSigned;
    input.out_h = spec.height;
    input.out_w = spec.width;
    input.group_channels = {spec.image_channels};
    network_.layers.push_back(std::move(input));
  }

  LayerIndex Conv(std::string name, LayerIndex input, int channels, int kernel, int stride) {
    return Conv(std::move(name), std::vector<LayerIndex>{input}, channels, kernel, stride);
  }
  // Of several maps, one behind the other.
  LayerIndex Conv(std::string name, const std::vector<LayerIndex>& inputs, int channels, int kernel,
                  int stride) {
    const Layer& from = network_.layers[static_cast<size_t>(inputs.front())];
    Layer layer;
    layer.name = std::move(name);
    layer.op = Op::kConv;
    layer.input = inputs.front();
    layer.more_inputs.assign(inputs.begin() + 1, inputs.end());
    layer.window = Square(kernel, stride, kernel / 2);
    layer.dense = dense_;
    layer.out_h = (from.out_h + 2 * (kernel / 2) - kernel) / stride + 1;
    layer.out_w = (from.out_w + 2 * (kernel / 2) - kernel) / stride + 1;
    layer.group_channels.assign(kGroups, channels / kGroups);
    network_.layers.push_back(std::move(layer));
    return static_cast<LayerIndex>(network_.layers.size()) - 1;
  }

  void AddShortcut(LayerIndex layer, LayerIndex from) {
    network_.layers[static_cast<size_t>(layer)].shortcut = from;
  }

  LayerIndex SumPool(std::string name, LayerIndex input) {
    const Layer& from = network_.layers[static_cast<size_t>(input)];
    Layer layer;
    layer.name = std::move(name);
    layer.op = Op::kSumPool;
    layer.input = input;
    layer.window = {from.out_h, from.out_w, 1, 1, 0, 0, 0, 0};
    layer.out_h = 1;
    layer.out_w = 1;
    layer.group_channels = from.group_channels;
    network_.layers.push_back(std::move(layer));
    return static_cast<LayerIndex>(network_.layers.size()) - 1;
  }

  void Head(std::string name, LayerIndex input, int classes) {
    Layer layer;
    layer.name = std::move(name);
    layer.op = Op::kLinear;
    layer.input = input;
    layer.activation = Activation::kLogits;
    layer.out_h = 1;
    layer.out_w = 1;
    layer.group_channels = {classes};
    network_.layers.push_back(std::move(layer));
  }

  // One map for every position instead of one answer for the image.
  void MapHead(std::string name, const std::vector<LayerIndex>& inputs) {
    const LayerIndex head = Conv(std::move(name), inputs, kGroups, 3, 1);
    Layer& layer = network_.layers[static_cast<size_t>(head)];
    layer.op = Op::kLinear;
    layer.activation = Activation::kLogits;
    layer.dense = true;
    layer.group_channels = {1};
  }

  Network Take() { return std::move(network_); }

 private:
  bool dense_;
  Network network_;
};

Network MakeCnn(const BackboneSpec& spec) {
  Builder b(spec);
  const LayerIndex c1 = b.Conv("conv1", 0, spec.channels, 3, 2);
  const LayerIndex c2 = b.Conv("conv2", c1, spec.channels, 3, 2);
  const LayerIndex c3 = b.Conv("conv3", c2, spec.channels, 3, 1);
  b.Head("head", c3, spec.classes);
  return b.Take();
}

// Blocks in each of the three stages of "resnetN", N = 6 blocks + 2 layers with weights on the
// longest way; 0 where `name` is none.
int ResnetBlocks(const std::string& name) {
  constexpr int kMostBlocks = 18;  // resnet110, the deepest that was published
  if (name == "resnet") return 1;
  for (int blocks = 1; blocks <= kMostBlocks; ++blocks) {
    if (name == "resnet" + std::to_string(6 * blocks + 2)) return blocks;
  }
  return 0;
}

// The wide value of each block's end is what the next block adds, so the chain of shortcuts is
// never rounded to seven bits; the convolutions read its Bounded ReLU.
Network MakeResnet(const BackboneSpec& spec, int blocks) {
  Builder b(spec);
  const int c = spec.channels;
  const LayerIndex stem = b.Conv("stem", 0, c, 3, 1);
  LayerIndex last = stem;
  int channels = c;
  for (int stage = 0; stage < 3; ++stage) {
    const int out = c << stage;
    for (int block = 0; block < blocks; ++block) {
      const int stride = stage > 0 && block == 0 ? 2 : 1;
      std::string name = "stage" + std::to_string(stage + 1);
      if (blocks > 1) name += "/block" + std::to_string(block + 1);
      LayerIndex shortcut = last;
      if (stride != 1 || out != channels) shortcut = b.Conv(name + "/shortcut", last, out, 1, stride);
      const LayerIndex inner = b.Conv(name + "/conv1", last, out, 3, stride);
      last = b.Conv(name + "/conv2", inner, out, 3, 1);
      b.AddShortcut(last, shortcut);
      channels = out;
    }
  }
  b.Head("head", b.SumPool("pool", last), spec.classes);
  return b.Take();
}

// Layers of "vdsrN"; 0 where `name` is none.
int VdsrLayers(const std::string& name) {
  constexpr int kFewest = 3, kMost = 64;
  if (name == "vdsr") return 20;
  for (int layers = kFewest; layers <= kMost; ++layers) {
    if (name == "vdsr" + std::to_string(layers)) return layers;
  }
  return 0;
}

Network MakeVdsr(const BackboneSpec& spec, int layers) {
  Builder b(spec);
  LayerIndex last = 0;
  for (int l = 1; l < layers; ++l)
    last = b.Conv("conv" + std::to_string(l), last, spec.channels, 3, 1);
  b.MapHead("residual", {last});
  return b.Take();
}

// Kernels of two sizes side by side, twice.
Network MakeVrcnn(const BackboneSpec& spec) {
  Builder b(spec);
  const int c = spec.channels;
  const LayerIndex first = b.Conv("conv1", 0, c, 5, 1);
  const std::vector<LayerIndex> second = {b.Conv("conv2/5x5", first, c / 4, 5, 1),
                                          b.Conv("conv2/3x3", first, c / 2, 3, 1)};
  const std::vector<LayerIndex> third = {b.Conv("conv3/3x3", second, c / 4, 3, 1),
                                         b.Conv("conv3/1x1", second, c / 2, 1, 1)};
  b.MapHead("residual", third);
  return b.Take();
}

// Layers of each of the three dense blocks of "densenetN", N = 3 layers + 5; 0 where `name` is none.
int DensenetLayers(const std::string& name) {
  constexpr int kMostLayers = 16;
  for (int layers = 1; layers <= kMostLayers; ++layers) {
    if (name == "densenet" + std::to_string(3 * layers + 5)) return layers;
  }
  return 0;
}

// A block's layers each add `channels` channels to all that the block had before. Between blocks a
// 1x1 convolution with stride 2 halves size and channels; the last one leaves the size.
Network MakeDensenet(const BackboneSpec& spec, int layers) {
  Builder b(spec);
  int channels = 2 * spec.channels;
  LayerIndex last = b.Conv("stem", 0, channels, 3, 1);
  for (int block = 1; block <= 3; ++block) {
    const std::string name = "block" + std::to_string(block);
    std::vector<LayerIndex> maps = {last};
    for (int l = 1; l <= layers; ++l) {
      maps.push_back(b.Conv(name + "/conv" + std::to_string(l), maps, spec.channels, 3, 1));
    }
    channels = (channels + layers * spec.channels) / 2 / 16 * 16;
    last = b.Conv(name + "/narrow", maps, channels, 1, block < 3 ? 2 : 1);
  }
  b.Head("head", b.SumPool("pool", last), spec.classes);
  return b.Take();
}

bool Concatenates(const std::string& name) {
  return name == "vrcnn" || DensenetLayers(name) > 0;
}

}  // namespace

Result<Network> MakeBackbone(const BackboneSpec& spec) {
  if (spec.channels < 16 || spec.channels > 1024 || spec.channels % 16 != 0) {
    return InvalidArgument("channels: " + std::to_string(spec.channels) +
                           " is no multiple of 16 in 16..1024");
  }
  if (spec.height < 8 || spec.width < 8 || spec.height > 1024 || spec.width > 1024) {
    return InvalidArgument("image size: " + std::to_string(spec.height) + "x" +
                           std::to_string(spec.width) + " is not within 8..1024");
  }
  if (Concatenates(spec.name) && !spec.dense) {
    return InvalidArgument("grouped: " + spec.name + " has layers that read several maps");
  }
  if (BackboneRestores(spec.name) && spec.image_channels != 1) {
    return InvalidArgument("image channels: " + spec.name + " restores luma alone");
  }
  if (const int layers = VdsrLayers(spec.name); layers > 0) return MakeVdsr(spec, layers);
  if (spec.name == "vrcnn") {
    if (spec.channels % 64 != 0) {  // a quarter of them in four groups of multiples of 4
      return InvalidArgument("channels: those of vrcnn are a multiple of 64");
    }
    return MakeVrcnn(spec);
  }
  if (spec.image_channels < 1 || spec.classes < 2) {
    return InvalidArgument("image channels or classes: too few");
  }
  if (spec.name == "cnn") return MakeCnn(spec);
  if (const int blocks = ResnetBlocks(spec.name); blocks > 0) return MakeResnet(spec, blocks);
  if (const int layers = DensenetLayers(spec.name); layers > 0) return MakeDensenet(spec, layers);
  return InvalidArgument(
      "backbone: '" + spec.name +
      "' is neither cnn, resnet, resnetN with N = 8, 14, 20, ... 110, densenetN with N = 8, 11, "
      "... 53, vrcnn, vdsr nor vdsrN with N = 3..64");
}

bool BackboneNormalizes(const std::string& name) {
  return ResnetBlocks(name) > 0 || DensenetLayers(name) > 0;
}

bool BackboneRestores(const std::string& name) {
  return VdsrLayers(name) > 0 || name == "vrcnn";
}

}  // namespace braid::training
