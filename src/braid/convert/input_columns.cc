#include "braid/convert/input_columns.h"

#include <algorithm>

#include "braid/model/limits.h"

namespace braid::convert {

using model::Op;

namespace {

int FilledUp(int channels) {
  return (channels + model::kChannelMultiple - 1) / model::kChannelMultiple *
         model::kChannelMultiple;
}

const FloatLayer& At(const FloatNetwork& network, int l) {
  return network.layers[static_cast<size_t>(l)];
}

}  // namespace

std::vector<int> InputsOf(const FloatLayer& layer) {
  std::vector<int> inputs;
  if (layer.input >= 0) inputs.push_back(layer.input);
  inputs.insert(inputs.end(), layer.more_inputs.begin(), layer.more_inputs.end());
  return inputs;
}

int InputChannels(const FloatNetwork& network, const FloatLayer& layer) {
  int channels = 0;
  for (const int input : InputsOf(layer)) channels += At(network, input).channels;
  return channels;
}

int FilledUpChannels(const FloatNetwork& network, size_t l) {
  // Down to the layer that decides, past those that keep to their input, and up again.
  std::vector<const FloatLayer*> kept;
  const FloatLayer* layer = &network.layers[l];
  while (layer->op == Op::kMaxPool || layer->op == Op::kSumPool || layer->filter_channels > 0) {
    kept.push_back(layer);
    layer = &At(network, layer->input);
  }
  const bool divided = layer->op != Op::kInput && layer->op != Op::kLinear;
  int filled = divided ? FilledUp(layer->channels) : layer->channels;
  for (auto it = kept.rbegin(); it != kept.rend(); ++it) {
    const int width = (*it)->filter_channels;
    if (width == 0) continue;
    const int outputs_of_block = (*it)->channels / (At(network, (*it)->input).channels / width);
    filled = filled / width * outputs_of_block;
  }
  return filled;
}

bool KeepsFilters(int inputs, int filled, int width, int outputs) {
  if (inputs % width != 0 || filled % width != 0) return false;
  const int blocks = inputs / width;
  return outputs % blocks == 0 &&
         outputs / blocks * (filled / width) % model::kChannelMultiple == 0;
}

std::vector<InputColumn> InputColumns(const FloatNetwork& network, const FloatLayer& layer) {
  std::vector<InputColumn> columns;
  if (layer.filter_channels > 0) {
    for (int i = 0; i < layer.filter_channels; ++i) {
      columns.push_back({layer.input, static_cast<size_t>(i)});
    }
    return columns;
  }
  size_t first = 0;
  for (const int input : InputsOf(layer)) {
    const FloatLayer& map = At(network, input);
    for (int i = 0; i < map.channels; ++i) {
      columns.push_back({input, first + static_cast<size_t>(i)});
    }
    first += static_cast<size_t>(FilledUpChannels(network, static_cast<size_t>(input)));
  }
  return columns;
}

std::vector<double> AllChannels(const FloatNetwork& network, const FloatLayer& layer,
                                std::span<const double> weights) {
  if (layer.filter_channels == 0 || weights.empty()) return {weights.begin(), weights.end()};
  const auto inputs = static_cast<size_t>(At(network, layer.input).channels);
  const auto outputs = static_cast<size_t>(layer.channels);
  const auto width = static_cast<size_t>(layer.filter_channels);
  const size_t outputs_of_block = outputs / (inputs / width);
  const size_t pixels = weights.size() / outputs / width;
  std::vector<double> all(outputs * pixels * inputs, 0);
  for (size_t o = 0; o < outputs; ++o) {
    for (size_t p = 0; p < pixels; ++p) {
      const auto from = weights.begin() + static_cast<ptrdiff_t>((o * pixels + p) * width);
      const size_t to = (o * pixels + p) * inputs + o / outputs_of_block * width;
      std::copy_n(from, width, all.begin() + static_cast<ptrdiff_t>(to));
    }
  }
  return all;
}

const std::vector<double>& InputMap(const FloatNetwork& network, const FloatLayer& layer,
                                    const std::vector<std::vector<double>>& maps,
                                    std::vector<double>& own) {
  if (layer.more_inputs.empty()) return maps[static_cast<size_t>(std::max(layer.input, 0))];
  const FloatLayer& first = At(network, layer.input);
  const auto pixels = static_cast<size_t>(first.out_h) * static_cast<size_t>(first.out_w);
  own.clear();
  own.reserve(pixels * static_cast<size_t>(InputChannels(network, layer)));
  for (size_t p = 0; p < pixels; ++p) {
    for (const int input : InputsOf(layer)) {
      const auto channels = static_cast<size_t>(At(network, input).channels);
      const auto from =
          maps[static_cast<size_t>(input)].begin() + static_cast<ptrdiff_t>(p * channels);
      own.insert(own.end(), from, from + static_cast<ptrdiff_t>(channels));
    }
  }
  return own;
}

}  // namespace braid::convert
