// The forward pass over slices, with rounding where a sub-network is bounded. Layer: training.
#include "braid/training/braided_net.h"

#include <algorithm>
#include <cmath>

#include "braid/model/layer_map.h"
#include "braid/training/quantization/straight_through.h"

namespace braid::training {
namespace {

using model::Activation;
using model::Layer;
using model::Op;

constexpr double kMapHeadVariance = 0.01;
constexpr int kChannelsLastFrom = 3;  // groups; measured on the cnn of 32 channels

bool HasWeights(const Layer& layer) { return layer.op == Op::kConv || layer.op == Op::kLinear; }

const Layer& LayerAt(const model::Network& network, int index) {
  return network.layers[static_cast<size_t>(index)];
}

// Channels of all maps that the layer reads.
int64_t InputChannels(const model::Network& network, const Layer& layer) {
  int64_t channels = 0;
  for (const model::LayerIndex input : layer.Inputs()) channels += LayerAt(network, input).Channels();
  return channels;
}

// Input channels that a weight of the layer holds for one output channel.
int64_t WeightInputs(const model::Network& network, const Layer& layer) {
  const Layer& from = LayerAt(network, layer.input);
  const bool grouped = layer.op == Op::kConv && !layer.dense && from.Divided();
  return grouped ? from.group_channels[0] : InputChannels(network, layer);
}

// What the layer reads: its map, or several as one.
torch::Tensor Concatenated(const Layer& layer, const std::vector<torch::Tensor>& maps) {
  if (layer.more_inputs.empty()) return maps[static_cast<size_t>(layer.input)];
  std::vector<torch::Tensor> parts;
  for (const model::LayerIndex input : layer.Inputs()) {
    parts.push_back(maps[static_cast<size_t>(input)]);
  }
  return torch::cat(parts, 1);
}

bool AnswersWithMap(const Layer& layer) {
  return layer.op == Op::kLinear && (layer.out_h > 1 || layer.out_w > 1);
}

}  // namespace

std::vector<ParameterSpec> BraidedNet::Specs(const model::Network& skeleton, int64_t subs) {
  std::vector<ParameterSpec> specs;
  for (const Layer& layer : skeleton.layers) {
    if (!HasWeights(layer)) continue;
    const int64_t out = layer.Channels();
    const model::Window window = model::WindowOf(skeleton, layer);
    specs.push_back({layer.name + "/weight",
                     {out, WeightInputs(skeleton, layer), window.kernel_h, window.kernel_w},
                     true});
    specs.push_back({layer.name + "/gain", {subs, out}});
    specs.push_back({layer.name + "/bias", {subs, out}});
  }
  return specs;
}

BraidedNet::BraidedNet(const model::Network& skeleton, std::vector<GroupSet> sub_networks,
                       bool normalized, torch::Device device, int bits)
    : skeleton_(skeleton),
      subs_(std::move(sub_networks)),
      device_(device),
      bits_(bits),
      parameters_(Specs(skeleton, static_cast<int64_t>(subs_.size())), device),
      states_(skeleton.layers.size()),
      is_shortcut_source_(skeleton.layers.size(), 0),
      last_reader_(skeleton.layers.size(), 0),
      bounded_(subs_.size(), 0),
      normalizing_(subs_.size(), normalized ? 1 : 0),
      rounded_(skeleton.layers.size()) {
  const auto subs = static_cast<int64_t>(subs_.size());
  bounds_ = torch::zeros({subs, static_cast<int64_t>(states_.size())}, torch::kFloat64);
  flags_ = torch::zeros({subs, 2}, torch::kInt64);
  int parameter = 0;
  for (size_t l = 0; l < states_.size(); ++l) {
    const Layer& layer = skeleton_.layers[l];
    for (const model::LayerIndex input : layer.Inputs()) last_reader_[static_cast<size_t>(input)] = l;
    if (layer.shortcut != model::kNoLayer) {
      is_shortcut_source_[static_cast<size_t>(layer.shortcut)] = 1;
    }
    if (!HasWeights(layer)) continue;
    LayerState& state = states_[l];
    state.weight = parameter++;
    state.gain = parameter++;
    state.bias = parameter++;
    for (const GroupSet groups : subs_) {
      state.out.push_back(MakeSelection({static_cast<model::LayerIndex>(l)}, groups));
      state.in.push_back(MakeSelection(layer.Inputs(), groups));
    }
    if (normalized && layer.op == Op::kConv) {
      const auto options = torch::TensorOptions().device(device_);
      state.running_mean = torch::zeros({subs, layer.Channels()}, options);
      state.running_var = torch::ones({subs, layer.Channels()}, options);
    }
  }
}

BraidedNet::Selection BraidedNet::MakeSelection(const std::vector<model::LayerIndex>& layers,
                                                GroupSet groups) const {
  Selection selection;
  std::vector<int64_t> channels;
  for (const model::LayerIndex index : layers) {
    const Layer& layer = LayerAt(skeleton_, index);
    for (int g = 0; g < static_cast<int>(layer.group_channels.size()); ++g) {
      if (layer.Divided() && !groups.Contains(g)) continue;
      for (int c = 0; c < layer.group_channels[static_cast<size_t>(g)]; ++c) {
        channels.push_back(selection.full + layer.GroupOffset(g) + c);
      }
    }
    selection.full += layer.Channels();
  }
  selection.start = channels.front();
  selection.length = static_cast<int64_t>(channels.size());
  if (channels.back() - channels.front() + 1 != selection.length) {
    selection.list = torch::tensor(channels, torch::kInt64).to(device_);
  }
  return selection;
}

torch::Tensor BraidedNet::Select(const torch::Tensor& t, int64_t dim, const Selection& selection) {
  if (selection.list.defined()) return t.index_select(dim, selection.list);
  if (selection.length == selection.full) return t;
  return t.narrow(dim, selection.start, selection.length);
}

void BraidedNet::Initialize(uint64_t seed) {
  torch::NoGradGuard no_grad;
  torch::manual_seed(seed);
  for (size_t l = 0; l < states_.size(); ++l) {
    const LayerState& state = states_[l];
    if (state.weight < 0) continue;
    const Layer& layer = skeleton_.layers[l];
    // On the CPU whatever the device is, so that a seed means the same start everywhere.
    torch::Tensor weight = weight_shape_randn(static_cast<int>(l));
    const auto fan_in = static_cast<double>(weight.numel() / weight.size(0));
    // What is added to an image starts near 0.
    const double variance = layer.op != Op::kLinear ? 2.0 / fan_in
                            : AnswersWithMap(layer) ? kMapHeadVariance / fan_in
                                                    : 1.0 / fan_in;
    parameters_[static_cast<size_t>(state.weight)].detach().copy_(weight * std::sqrt(variance));
    for (size_t s = 0; s < subs_.size(); ++s) {
      const Selection& in = state.in[s];
      const bool grouped = layer.op == Op::kConv && !layer.dense;
      const double part =
          grouped ? 1.0 : static_cast<double>(in.length) / static_cast<double>(in.full);
      // A normalized convolution has the scale of its channels in the normalization.
      const double gain = normalizing_[s] && layer.op == Op::kConv ? 1.0 : std::sqrt(1.0 / part);
      parameters_[static_cast<size_t>(state.gain)]
          .detach()
          .select(0, static_cast<int64_t>(s))
          .fill_(gain);
    }
  }
}

torch::Tensor BraidedNet::weight_shape_randn(int layer) const {
  const LayerState& state = states_[static_cast<size_t>(layer)];
  return torch::randn(parameters_.spec(static_cast<size_t>(state.weight)).shape);
}

torch::Tensor BraidedNet::Input(const torch::Tensor& pixels) const {
  return pixels.to(device_).to(torch::kFloat32).sub_(128).mul_(kInputStep).contiguous();
}

torch::Tensor BraidedNet::SlicedWeight(int sub, int layer) {
  const LayerState& state = states_[static_cast<size_t>(layer)];
  torch::Tensor weight = parameters_[static_cast<size_t>(state.weight)];
  if (bounded(sub) && arithmetic_ == Arithmetic::kRounded) {
    torch::Tensor& rounded = rounded_[static_cast<size_t>(layer)];
    if (!rounded.defined()) rounded = RoundWeights(weight, LargestInteger(bits_));
    weight = rounded;
  }
  weight = Select(weight, 0, state.out[static_cast<size_t>(sub)]);
  const Layer& l = LayerAt(skeleton_, layer);
  const bool grouped = l.op == Op::kConv && !l.dense && LayerAt(skeleton_, l.input).Divided();
  return grouped ? weight : Select(weight, 1, state.in[static_cast<size_t>(sub)]);
}

torch::Tensor BraidedNet::Activate(int sub, int layer, const torch::Tensor& wide, bool keep) const {
  const double bound_value = bound(sub, layer);
  if (bounded(sub) && arithmetic_ == Arithmetic::kBounded) return torch::clamp(wide, 0, bound_value);
  if (bounded(sub) && arithmetic_ == Arithmetic::kRounded) {
    return RoundActivations(wide, bound_value, LargestInteger(bits_));
  }
  return keep ? torch::relu(wide) : torch::relu_(const_cast<torch::Tensor&>(wide));
}

// A bias is an integer in units of the accumulator. With 8 bits such a unit is a small part of a
// level of the output; with fewer the rounding matters.
torch::Tensor BraidedNet::BiasOf(int sub, int layer, const torch::Tensor& gain) {
  const LayerState& state = states_[static_cast<size_t>(layer)];
  const Selection& out = state.out[static_cast<size_t>(sub)];
  const torch::Tensor bias =
      Select(parameters_[static_cast<size_t>(state.bias)].select(0, sub), 0, out);
  if (bits_ == 8 || !bounded(sub) || arithmetic_ != Arithmetic::kRounded) return bias;
  const torch::Tensor steps =
      WeightSteps(parameters_[static_cast<size_t>(state.weight)], LargestInteger(bits_));
  const double map_step = MapStep(sub, LayerAt(skeleton_, layer).input);
  return RoundToSteps(
      bias, Select(steps, 0, out).mul(gain.detach().abs()).mul_(map_step).clamp_min_(1e-12));
}

torch::Tensor BraidedNet::Forward(int sub, const torch::Tensor& x, bool training,
                                  Observation* observation) {
  const auto s = static_cast<size_t>(sub);
  const size_t count = states_.size();
  std::vector<torch::Tensor> maps(count), wides(count);
  if (observation != nullptr) observation->wide.assign(count, torch::Tensor());
  // oneDNN is faster on channels-last maps when they are wide, and slower when they are narrow.
  const bool wide_network = subs_[s].size() >= kChannelsLastFrom;
  maps[0] = wide_network ? x.contiguous(at::MemoryFormat::ChannelsLast) : x;
  torch::Tensor logits;
  for (size_t l = 1; l < count; ++l) {
    const Layer& layer = skeleton_.layers[l];
    const LayerState& state = states_[l];
    const torch::Tensor in = Concatenated(layer, maps);
    torch::Tensor wide;
    if (layer.op == Op::kSumPool) {
      wide = torch::avg_pool2d(in, {layer.window.kernel_h, layer.window.kernel_w},
                               {layer.window.stride_h, layer.window.stride_w});
    } else if (layer.op == Op::kMaxPool) {
      maps[l] = torch::max_pool2d(in, {layer.window.kernel_h, layer.window.kernel_w},
                                  {layer.window.stride_h, layer.window.stride_w});
      continue;
    } else {
      const int li = static_cast<int>(l);
      torch::Tensor weight = SlicedWeight(sub, li);
      const torch::Tensor gain =
          Select(parameters_[static_cast<size_t>(state.gain)].select(0, sub), 0, state.out[s]);
      const torch::Tensor bias = BiasOf(sub, li, gain);
      const bool normalize = normalizing(sub) && layer.op == Op::kConv;
      if (!normalize) weight = weight * gain.view({-1, 1, 1, 1});
      // An image of one channel has no layout of its own, so the weights ask for it.
      if (wide_network) weight = weight.contiguous(at::MemoryFormat::ChannelsLast);
      if (layer.op == Op::kLinear && !AnswersWithMap(layer)) {
        // A convolution over the whole map: oneDNN is faster at it than most BLAS libraries.
        logits = torch::conv2d(in, weight, bias).flatten(1);
        if (observation != nullptr) observation->wide[l] = logits;
        continue;
      }
      const int64_t convolution_groups =
          layer.dense || !LayerAt(skeleton_, layer.input).Divided() ? 1 : subs_[s].size();
      wide = torch::conv2d(in, weight, normalize ? torch::Tensor() : bias,
                           {layer.window.stride_h, layer.window.stride_w},
                           {layer.window.pad_top, layer.window.pad_left}, 1, convolution_groups);
      if (layer.op == Op::kLinear) {
        logits = wide;
        if (observation != nullptr) observation->wide[l] = logits;
        continue;
      }
      if (normalize) {
        torch::Tensor mean = state.running_mean.select(0, sub);
        torch::Tensor var = state.running_var.select(0, sub);
        torch::Tensor selected_mean = Select(mean, 0, state.out[s]);
        torch::Tensor selected_var = Select(var, 0, state.out[s]);
        wide = torch::batch_norm(wide, gain, bias, selected_mean, selected_var, training, 0.1, 1e-5,
                                 true);
        if (training && state.out[s].list.defined()) {  // a copy was updated, not the row
          torch::NoGradGuard no_grad;
          // Without the version counter, which all sub-networks' rows share: the backward passes of
          // others do not read these averages, yet would refuse to run.
          mean.variable_data().index_copy_(0, state.out[s].list, selected_mean);
          var.variable_data().index_copy_(0, state.out[s].list, selected_var);
        }
      }
    }
    if (layer.shortcut != model::kNoLayer) {
      wide = wide + wides[static_cast<size_t>(layer.shortcut)];
    }
    const bool keep = is_shortcut_source_[l] || observation != nullptr;
    if (is_shortcut_source_[l]) wides[l] = wide;
    if (observation != nullptr) observation->wide[l] = wide;
    maps[l] = Activate(sub, static_cast<int>(l), wide, keep);
    // Whole pictures through many layers: hold only what is read again.
    for (const model::LayerIndex index : layer.Inputs()) {
      const auto input = static_cast<size_t>(index);
      if (last_reader_[input] == l) maps[input] = torch::Tensor();
    }
  }
  return logits;
}

void BraidedNet::FoldNormalization(int sub) {
  if (!normalizing(sub)) return;
  torch::NoGradGuard no_grad;
  for (const LayerState& state : states_) {
    if (!state.running_mean.defined()) continue;
    torch::Tensor gain = parameters_[static_cast<size_t>(state.gain)].detach().select(0, sub);
    torch::Tensor bias = parameters_[static_cast<size_t>(state.bias)].detach().select(0, sub);
    gain.div_(state.running_var.select(0, sub).add(1e-5).sqrt());
    bias.sub_(state.running_mean.select(0, sub) * gain);
  }
  normalizing_[static_cast<size_t>(sub)] = 0;
}

void BraidedNet::SetBounds(int sub, const std::vector<double>& bounds) {
  for (size_t l = 0; l < bounds.size(); ++l) {
    bounds_.index_put_({sub, static_cast<int64_t>(l)}, bounds[l]);
  }
  bounded_[static_cast<size_t>(sub)] = 1;
}

int BraidedNet::Find(GroupSet groups) const {
  const auto it = std::find(subs_.begin(), subs_.end(), groups);
  return it == subs_.end() ? -1 : static_cast<int>(it - subs_.begin());
}

double BraidedNet::bound(int sub, int layer) const {
  return bounds_.accessor<double, 2>()[sub][layer];
}

double BraidedNet::MapStep(int sub, int layer) const {
  const Layer& l = LayerAt(skeleton_, layer);
  if (l.op == Op::kInput) return kInputStep;
  if (l.op == Op::kMaxPool) return MapStep(sub, l.input);
  return bound(sub, layer) / LargestInteger(bits_);
}

torch::Tensor BraidedNet::weight(int layer) const {
  return parameters_[static_cast<size_t>(states_[static_cast<size_t>(layer)].weight)].detach();
}

torch::Tensor BraidedNet::gain(int sub, int layer) const {
  return parameters_[static_cast<size_t>(states_[static_cast<size_t>(layer)].gain)].detach().select(
      0, sub);
}

torch::Tensor BraidedNet::bias(int sub, int layer) const {
  return parameters_[static_cast<size_t>(states_[static_cast<size_t>(layer)].bias)].detach().select(
      0, sub);
}

void BraidedNet::MarkBlocks(torch::Tensor& mask, GroupSet groups, double value) const {
  torch::NoGradGuard no_grad;
  for (size_t l = 0; l < states_.size(); ++l) {
    if (states_[l].weight < 0) continue;
    const Layer& layer = skeleton_.layers[l];
    torch::Tensor weights = parameters_.Slice(mask, static_cast<size_t>(states_[l].weight));
    // A grouped weight has the channels of one group only.
    const bool whole_in = weights.size(1) != InputChannels(skeleton_, layer);
    for (const int out : groups) {
      torch::Tensor rows = layer.Divided()
                               ? weights.narrow(0, layer.GroupOffset(out),
                                                layer.group_channels[static_cast<size_t>(out)])
                               : weights;
      if (whole_in) {
        rows.fill_(value);
        continue;
      }
      int64_t first = 0;
      for (const model::LayerIndex index : layer.Inputs()) {
        const Layer& from = LayerAt(skeleton_, index);
        for (int in = 0; in < static_cast<int>(from.group_channels.size()); ++in) {
          const int64_t channels = from.group_channels[static_cast<size_t>(in)];
          if (!from.Divided() || groups.Contains(in)) rows.narrow(1, first, channels).fill_(value);
          first += channels;
        }
      }
    }
  }
}

void BraidedNet::MarkTables(torch::Tensor& mask, int sub, double value) const {
  torch::NoGradGuard no_grad;
  for (const LayerState& state : states_) {
    if (state.weight < 0) continue;
    parameters_.Slice(mask, static_cast<size_t>(state.gain)).select(0, sub).fill_(value);
    parameters_.Slice(mask, static_cast<size_t>(state.bias)).select(0, sub).fill_(value);
  }
}

std::vector<std::pair<std::string, torch::Tensor>> BraidedNet::Buffers() const {
  std::vector<std::pair<std::string, torch::Tensor>> buffers;
  for (size_t s = 0; s < subs_.size(); ++s) {
    auto row = flags_.accessor<int64_t, 2>()[static_cast<int64_t>(s)];
    row[0] = bounded_[s];
    row[1] = normalizing_[s];
  }
  buffers.emplace_back("bounds", bounds_);
  buffers.emplace_back("flags", flags_);
  for (size_t l = 0; l < states_.size(); ++l) {
    if (!states_[l].running_mean.defined()) continue;
    buffers.emplace_back(skeleton_.layers[l].name + "/running_mean", states_[l].running_mean);
    buffers.emplace_back(skeleton_.layers[l].name + "/running_var", states_[l].running_var);
  }
  return buffers;
}

void BraidedNet::AfterBuffersLoaded() {
  const auto flags = flags_.accessor<int64_t, 2>();
  for (size_t s = 0; s < subs_.size(); ++s) {
    bounded_[s] = flags[static_cast<int64_t>(s)][0] != 0;
    normalizing_[s] = flags[static_cast<int64_t>(s)][1] != 0;
  }
}

}  // namespace braid::training
