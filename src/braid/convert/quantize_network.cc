#include "braid/convert/quantize_network.h"

#include <algorithm>
#include <cmath>

#include "braid/convert/input_columns.h"
#include "braid/kernels/requantization.h"
#include "braid/model/layer_map.h"
#include "braid/model/rescale_tables.h"
#include "braid/model/restoration.h"

namespace braid::convert {
namespace {

using model::Activation;
using model::Layer;
using model::LayerTables;
using model::Op;

constexpr double kOne = kernels::kMaxMultiplier;
// Below this the multiplier's rounding moves a value by more than 1/8 step (numerics.md, section
// 3).
constexpr double kSmallestMul = 508;
constexpr double kMostBias = 1 << 29;
// Room above the largest value of the calibration, for shortcuts and logits.
constexpr double kMargin = 1.5;
// The unit that trained models' logits have, unless s32 cannot hold them in it.
constexpr double kLogitStep = 1.0 / 1024;
constexpr double kMostLogit = 1 << 28;

class Quantizer {
 public:
  Quantizer(const FloatNetwork& from, const Calibration& calibration, const ImportOptions& options)
      : from_(from),
        calibration_(calibration),
        options_(options),
        levels_((1 << (options.bits - 1)) - 1) {}

  Result<QuantizedNetwork> Run() {
    const size_t layers = from_.layers.size();
    out_.map_steps.assign(layers, 1);  // the input's integers are pixel - 128 themselves
    out_.bounds.assign(layers, 0);
    out_.weight_steps.assign(layers, 0);
    units_.resize(layers);
    model::SubNetwork sub_network;
    sub_network.groups = GroupSet::First(1);
    sub_network.tables.resize(layers);
    for (size_t l = 0; l < layers; ++l) {
      Describe(l);
      if (from_.layers[l].op == Op::kMaxPool) out_.map_steps[l] = Step(from_.layers[l].input);
      if (l > 0 && from_.layers[l].op != Op::kMaxPool) Fill(l, sub_network.tables[l]);
    }
    out_.network.groups = 1;
    out_.network.input_h = from_.layers[0].out_h;
    out_.network.input_w = from_.layers[0].out_w;
    out_.network.input_c = from_.layers[0].channels;
    out_.network.input_padding = PaddingPixels(from_);
    out_.network.sub_networks.push_back(std::move(sub_network));
    return std::move(out_);
  }

 private:
  double Step(int l) const { return out_.map_steps[static_cast<size_t>(l)]; }

  // The step that the layer's accumulators have of its maps: the largest of theirs.
  double InputStep(const FloatLayer& layer) const {
    double step = 0;
    for (const int input : InputsOf(layer)) step = std::max(step, Step(input));
    return step;
  }

  void Describe(size_t l) {
    const FloatLayer& from = from_.layers[l];
    Layer layer;
    layer.name = "layer" + std::to_string(l);  // names of the file may be anything
    layer.op = from.op;
    layer.input = from.input;
    layer.more_inputs.assign(from.more_inputs.begin(), from.more_inputs.end());
    layer.filter_channels = from.filter_channels;
    layer.dense = from.filter_channels == 0;
    layer.shortcut = from.shortcut;
    // A classifier's head covers its map; a restorer's answers every pixel.
    if (from.op != Op::kLinear || from_.image_sign != 0) layer.window = from.window;
    layer.activation = from.op == Op::kInput    ? Activation::kSigned
                       : from.op == Op::kLinear ? Activation::kLogits
                       : from.relu              ? Activation::kRelu
                                                : Activation::kSigned;
    layer.out_h = from.out_h, layer.out_w = from.out_w;
    layer.group_channels = {FilledUpChannels(from_, l)};
    out_.network.layers.push_back(std::move(layer));
  }

  // Weight steps, rounded weights, the real value of an accumulator's unit per channel.
  void RoundWeights(size_t l, double out_step) {
    const FloatLayer& from = from_.layers[l];
    Layer& layer = out_.network.layers[l];
    const auto outputs = static_cast<size_t>(from.channels);
    const size_t depth = from.weights.size() / outputs;
    const std::vector<InputColumn> columns = InputColumns(from_, from);
    const size_t held = columns.size();
    const double in_step = InputStep(from);
    // eq. 21: the weights as they meet maps of one step.
    std::vector<double> weights = from.weights;
    for (size_t i = 0; i < weights.size(); ++i) {
      weights[i] *= Step(columns[i % held].map) / in_step;
    }
    std::vector<double> steps(outputs, 0);
    for (size_t i = 0; i < weights.size(); ++i) {
      steps[i / depth] = std::max(steps[i / depth], std::abs(weights[i]) / levels_);
    }
    const double largest = *std::max_element(steps.begin(), steps.end());
    if (options_.step_per_layer) std::fill(steps.begin(), steps.end(), largest);
    // Channels with no or tiny weights: their unit need not be finer than what their map can show.
    const double least = kSmallestMul / kOne * out_step / in_step;
    for (double& step : steps) step = std::max(step, least);
    out_.weight_steps[l] = *std::max_element(steps.begin(), steps.end());
    const size_t pixels = depth / held;
    const auto stored = static_cast<size_t>(model::WeightExtentsOf(out_.network, layer).inputs);
    layer.weights.assign(static_cast<size_t>(layer.Channels()) * pixels * stored, 0);
    for (size_t o = 0; o < outputs; ++o) {
      for (size_t p = 0; p < pixels; ++p) {
        for (size_t i = 0; i < held; ++i) {
          const double w = weights[(o * pixels + p) * held + i] / steps[o];
          layer.weights[(o * pixels + p) * stored + columns[i].stored] =
              static_cast<int8_t>(std::clamp(std::nearbyint(w), -levels_, levels_));
        }
      }
    }
    units_[l].assign(static_cast<size_t>(layer.Channels()), 0);
    for (size_t o = 0; o < outputs; ++o) units_[l][o] = in_step * steps[o];
  }

  void Fill(size_t l, LayerTables& tables) {
    const FloatLayer& from = from_.layers[l];
    const auto channels = static_cast<size_t>(from.channels);
    if (from.op == Op::kLinear) {
      out_.logit_step =
          from_.image_sign != 0
              ? from_.scaling.scale[0] / (1 << model::kAddedShift)
              : std::max(kLogitStep, calibration_.layers[l].largest * kMargin / kMostLogit);
      RoundWeights(l, out_.logit_step);
      FillHead(l, tables);
      return;
    }
    const double in_step = InputStep(from);
    double out_step = calibration_.layers[l].bound / levels_;
    if (from.op == Op::kSumPool) {
      const double window = from.window.kernel_h * from.window.kernel_w;
      units_[l].assign(static_cast<size_t>(out_.network.layers[l].Channels()), 0);
      std::fill_n(units_[l].begin(), channels, in_step / window);
      out_step = std::max(out_step, in_step / window);
    } else {
      // A multiplier is at most 1: the map's step is no finer than the accumulator's.
      double finest = 0;
      const std::vector<InputColumn> columns = InputColumns(from_, from);
      for (size_t i = 0; i < from.weights.size(); ++i) {
        const double step = Step(columns[i % columns.size()].map);
        finest = std::max(finest, std::abs(from.weights[i]) / levels_ * step);
      }
      out_step = std::max(out_step, finest);
      RoundWeights(l, out_step);
      if (options_.snap) out_step = Snapped(units_[l].front(), out_step);
    }
    out_.map_steps[l] = out_step;
    out_.bounds[l] = out_step * levels_;
    tables.bias.assign(units_[l].size(), 0);
    tables.mul.assign(units_[l].size(), 0);
    for (size_t c = 0; c < channels; ++c) {
      const double mul = std::clamp(std::round(units_[l][c] / out_step * kOne), kSmallestMul, kOne);
      tables.mul[c] = static_cast<int32_t>(mul);
      units_[l][c] = mul * out_step / kOne;  // what the integer multiplier stands for
      if (from.bias.empty()) continue;
      const double bias = std::clamp(from.bias[c] / units_[l][c], -kMostBias, kMostBias);
      tables.bias[c] = static_cast<int32_t>(std::lround(bias));
    }
    if (from.shortcut < 0) return;
    const auto source = static_cast<size_t>(from.shortcut);
    std::vector<double> factors(units_[l].size(), 0);
    double range = 1;
    for (size_t c = 0; c < channels; ++c) {
      factors[c] = units_[source][c] / units_[l][c];
      range = std::max(range, calibration_.layers[source].widest / units_[source][c]);
    }
    const model::RescaleTables rescale = model::MakeRescale(factors, range * kMargin);
    tables.shortcut_mul = rescale.mul;
    tables.shortcut_clamp = rescale.clamp;
    tables.shortcut_shift = rescale.shift;
  }

  // eq. 19: the bound moved so that a multiplier of few bits, mul / 2^shift, is exact for it.
  double Snapped(double unit, double out_step) const {
    const double bound = levels_ * out_step / unit;  // in units of the accumulator
    for (int shift = 1; shift <= kernels::kRequantizationShift; ++shift) {
      const double one = std::ldexp(1, shift);
      if ((levels_ + 0.5) * one <= bound) continue;
      const double mul = std::round((levels_ + 0.5) * one / bound);
      if (mul <= one && std::abs(bound * mul / one - levels_) < 0.5) return unit * one / mul;
    }
    return out_step;  // beyond a shift of 24, which no layer has whose mul is at least 508
  }

  void FillHead(size_t l, LayerTables& tables) {
    const FloatLayer& from = from_.layers[l];
    const double largest = calibration_.layers[l].largest;
    std::vector<double> factors;
    double range = 1;
    for (size_t c = 0; c < units_[l].size(); ++c) {
      const double unit = units_[l][c];
      factors.push_back(unit / out_.logit_step);
      const double bias = std::clamp(from.bias[c] / unit, -kMostBias, kMostBias);
      tables.bias.push_back(static_cast<int32_t>(std::lround(bias)));
      range = std::max(range, largest / unit);
    }
    const model::RescaleTables rescale = model::MakeRescale(factors, range * kMargin);
    tables.mul = rescale.mul;
    tables.clamp = rescale.clamp;
    tables.shift = rescale.shift;
  }

  const FloatNetwork& from_;
  const Calibration& calibration_;
  const ImportOptions& options_;
  const double levels_;  // the largest integer of maps and weights
  QuantizedNetwork out_;
  std::vector<std::vector<double>> units_;  // [layers][channels]
};

}  // namespace

Result<QuantizedNetwork> Quantize(const FloatNetwork& from, const Calibration& calibration,
                                  const ImportOptions& options) {
  for (const FloatLayer& layer : from.layers) {
    const bool finite = [&] {
      for (const std::vector<double>* values : {&layer.weights, &layer.bias}) {
        if (!std::all_of(values->begin(), values->end(),
                         [](double v) { return std::isfinite(v); })) {
          return false;
        }
      }
      return true;
    }();
    if (!finite) return InvalidArgument("layer '" + layer.name + "': weights overflow when folded");
  }
  return Quantizer(from, calibration, options).Run();
}

}  // namespace braid::convert
