// The symmetric scheme with thresholds of least KL divergence: signed maps and weights, requantized
// in single precision. Layer: convert.
// Source: Migacz, "8-bit Inference with TensorRT", 2017. Integer products, float epilogue.
#include <algorithm>
#include <cmath>

#include "braid/convert/input_columns.h"
#include "braid/convert/scheme.h"

namespace braid::convert {
namespace {

using model::Op;

class Entropy final : public SchemeNetwork {
 public:
  Entropy(const FloatNetwork& from, const std::vector<LayerRanges>& ranges, int bits,
          bool step_per_layer)
      : SchemeNetwork(from),
        levels_(static_cast<float>((1 << (bits - 1)) - 1)),
        wide_steps_(from.layers.size(), 1),
        units_(from.layers.size()) {
    const auto step_of = [&](const Range& range) {
      return range.threshold > 0 ? range.threshold / levels_ : 1.0;
    };
    for (size_t l = 1; l < from.layers.size(); ++l) {
      const FloatLayer& layer = from.layers[l];
      const auto input = static_cast<size_t>(layer.input);
      const bool keeps = layer.op == Op::kMaxPool;
      step_[l] = keeps ? step_[input] : layer.op == Op::kLinear ? 1 : step_of(ranges[l].map);
      if (layer.op != Op::kLinear) high_[l] = levels_ * step_[l], low_[l] = -high_[l];
      wide_steps_[l] = step_of(ranges[l].wide);
      const auto channels = static_cast<size_t>(layer.channels);
      std::vector<double> steps(channels, 0);
      if (layer.op == Op::kSumPool) {
        std::fill(steps.begin(), steps.end(), 1.0 / (layer.window.kernel_h * layer.window.kernel_w));
      } else if (!layer.weights.empty()) {
        const size_t depth = layer.weights.size() / channels;
        for (size_t i = 0; i < layer.weights.size(); ++i) {
          steps[i / depth] = std::max(steps[i / depth], std::abs(layer.weights[i]) / levels_);
        }
        weight_step_[l] = *std::max_element(steps.begin(), steps.end());
        for (double& s : steps) s = step_per_layer ? weight_step_[l] : std::max(s, 1e-12);
        std::vector<double> rounded;
        for (size_t i = 0; i < layer.weights.size(); ++i) {
          const double q = std::nearbyint(layer.weights[i] / std::max(steps[i / depth], 1e-12));
          rounded.push_back(std::clamp<double>(q, -levels_, levels_));
        }
        weights_[l] = OutputsLast(layer, AllChannels(from, layer, rounded));
      }
      for (const double s : steps) units_[l].push_back(static_cast<float>(step_[input] * s));
    }
  }

 private:
  float Round(float value, double step) const {
    return std::clamp(std::nearbyint(value * static_cast<float>(1 / step)), -levels_, levels_);
  }

  void Finish(size_t l, const std::vector<double>& sums, State& state) const override {
    const FloatLayer& layer = from_.layers[l];
    const auto channels = static_cast<size_t>(layer.channels);
    state.map[l].resize(sums.size()), state.wide[l].resize(is_shortcut_[l] ? sums.size() : 0);
    for (size_t i = 0; i < sums.size(); ++i) {
      const size_t c = i % channels;
      float v = static_cast<float>(sums[i]) * units_[l][c];
      if (!layer.bias.empty()) v += static_cast<float>(layer.bias[c]);
      if (layer.shortcut >= 0) {
        const auto s = static_cast<size_t>(layer.shortcut);
        v += static_cast<float>(state.wide[s][i]) * static_cast<float>(wide_steps_[s]);
      }
      if (is_shortcut_[l]) state.wide[l][i] = Round(v, wide_steps_[l]);
      if (layer.relu) v = std::max(v, 0.0f);
      state.map[l][i] = layer.op == Op::kLinear ? v : Round(v, step_[l]);
    }
  }

  float levels_;
  std::vector<double> wide_steps_;
  std::vector<std::vector<float>> units_;  // [layers][channels] real value of an accumulator's unit
};

}  // namespace

std::unique_ptr<SchemeNetwork> MakeEntropy(const FloatNetwork& from,
                                           const std::vector<LayerRanges>& ranges, int bits,
                                           bool step_per_layer) {
  return std::make_unique<Entropy>(from, ranges, bits, step_per_layer);
}

}  // namespace braid::convert
