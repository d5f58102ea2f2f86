// A braided network as data: layers, channel groups, sub-networks, operating points. What a .braid
// file holds and what plans are made from. Layer: model. Arithmetic: docs/numerics.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "braid/tensor/element_kind.h"
#include "braid/tensor/group_set.h"

namespace braid::model {

using LayerIndex = int;
inline constexpr LayerIndex kNoLayer = -1;

enum class Op : uint8_t {
  kInput = 0,    // the image: s8 (pixel - 128), replicated on every device
  kConv = 1,     // groups exchange their maps, then each computes its own output channels
  kMaxPool = 2,  // per channel, so it never exchanges
  kSumPool = 3,  // sum over the window, then bias and mul (average pooling); never exchanges
  // A head: wide logits that every device may hold. Without a window it covers the whole map of its
  // input [H,W,C] and answers once; with one it answers at every position, as a convolution does.
  kLinear = 4,
};

// What a layer's epilogue leaves (docs/numerics.md, section 3).
enum class Activation : uint8_t {
  kRelu = 0,    // u7
  kSigned = 1,  // s8
  kLogits = 2,  // wide, rescaled to the output step that all sub-networks share; heads only
};

struct Window {
  int kernel_h = 1, kernel_w = 1;
  int stride_h = 1, stride_w = 1;
  int pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  bool operator==(const Window&) const = default;
};

// Layers are in execution order; each reads maps of earlier layers only.
struct Layer {
  std::string name;
  Op op = Op::kInput;
  LayerIndex input = kNoLayer;  // whose map this layer reads
  // Concatenation: further maps of the same height and width, whose channels follow those of
  // `input` in this order. All distinct; kConv and kLinear only.
  std::vector<LayerIndex> more_inputs;
  // Residual addition: the wide value of this earlier layer (same shape and group channels; its
  // accumulator + bias [+ its own shortcut], before requantization) is rescaled and added before
  // this layer's clamp. kConv only.
  LayerIndex shortcut = kNoLayer;
  Window window;  // kConv, kMaxPool, kSumPool, and kLinear where it answers with a map
  Activation activation = Activation::kRelu;
  // Dense: every group reads every group of the sub-network (cross weights). Not dense: each group
  // reads only itself (grouped convolution), so no exchange happens.
  bool dense = true;
  // Input channels that a filter reads; 0: all (grouped convolution; 1: depthwise). In each channel
  // group, the input's channels are cut into blocks of as many and the outputs into as many equal
  // runs; outputs of run i read block i. A kConv that is not dense and reads one divided map.
  int filter_channels = 0;
  int out_h = 0, out_w = 0;  // from the input's size and the window; stored so that files show it
  // Output channels of each channel group; kInput and kLinear are not divided and hold one entry.
  std::vector<int> group_channels;
  // OHWI [out channels, kernel_h, kernel_w, in channels], -127..127; channels of group g follow
  // those of group g-1, and those of an input those of the input before it. The kernel of a kLinear
  // without a window is its input map's [H,W]. Empty for pools and input.
  // Where !dense, blocks that cross groups are stored as zeros and never read; where filters read
  // filter_channels, those are the in channels.
  std::vector<int8_t> weights;

  // All maps that the layer reads, in the order of its weights; none for kInput.
  std::vector<LayerIndex> Inputs() const {
    std::vector<LayerIndex> inputs;
    if (input != kNoLayer) inputs.push_back(input);
    inputs.insert(inputs.end(), more_inputs.begin(), more_inputs.end());
    return inputs;
  }
  bool Divided() const { return op != Op::kInput && op != Op::kLinear; }
  int Channels() const {
    int sum = 0;
    for (const int c : group_channels) sum += c;
    return sum;
  }
  // First channel of `group` in the layer's channel order.
  int GroupOffset(int group) const {
    int sum = 0;
    for (int g = 0; g < group; ++g) sum += group_channels[static_cast<size_t>(g)];
    return sum;
  }
};

// One layer's integers in one sub-network; per output channel of the layer (all channels, those
// of absent groups are 0 and never read). Empty for kInput and kMaxPool.
struct LayerTables {
  std::vector<int32_t> bias;  // in accumulator units
  std::vector<int32_t> mul;   // |mul| <= 2^24, sign kept. kLogits: multiplier before `shift`
  // kLogits: y = (clamp(acc + bias, ±clamp) * mul + 2^(shift-1)) >> shift.
  int32_t clamp = 0;
  int32_t shift = 0;
  // Shortcut rescale: r = (clamp(u, ±shortcut_clamp) * shortcut_mul[c] + 2^(s-1)) >> s, with
  // s = shortcut_shift in 1..30; u in the accumulator units of its own layer.
  std::vector<int32_t> shortcut_mul;
  int32_t shortcut_clamp = 0;
  int32_t shortcut_shift = 0;
};

// A set of channel groups that is a working network by itself.
struct SubNetwork {
  GroupSet groups;
  std::vector<LayerTables> tables;  // [layers]
  // What the network's test images leave in each layer (test_vectors.h); empty without images.
  std::vector<uint8_t> map_digests = {};
};

// One way to run the model: the logits of its terms, added. One term of several groups is the
// combined network with cross weights ("g0+1"); several terms ran alone ("g0,1").
struct OperatingPoint {
  std::string name;               // by the grammar of operating_point_name.h
  std::vector<int> terms;         // indices into Network::sub_networks, with disjoint groups
  LayerIndex head = kNoLayer;     // the kLinear that answers; layers it does not need are skipped
  double accuracy = 0;            // fraction of the test set named in the card
  int64_t macs_mean = 0;          // convolution and linear multiply-adds for one input
  int64_t macs_worst = 0;
  int64_t weight_bytes = 0;       // weights that the point reads
};

struct Network {
  std::string name;     // "fluid4_fashion-mnist_s1"
  int groups = 1;       // number of channel groups
  std::vector<Layer> layers;
  std::vector<SubNetwork> sub_networks;  // distinct group sets
  std::vector<OperatingPoint> points;
  std::vector<std::string> labels;       // one per logit (of a position)
  std::string card;     // JSON: dataset, training command, seeds, accuracies, licence, maker version
  int input_h = 0, input_w = 0, input_c = 0;
  // [input_c] pixel that pads the image where a layer's window leaves it; empty: 128 (the integer 0)
  // in every channel.
  std::vector<uint8_t> input_padding;
  // Test vectors: images [n,H,W,C] whose results any device can compare with what the maker's had.
  std::vector<uint8_t> test_images;
};

// The sub-network with exactly these groups, or -1.
int FindSubNetwork(const Network& network, GroupSet groups);
// The point called `name`, or -1.
int FindPoint(const Network& network, const std::string& name);

}  // namespace braid::model
