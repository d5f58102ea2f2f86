// The affine scheme: unsigned maps and weights with zero points, from the smallest to the largest
// value, requantized in fixed point. Layer: convert.
// Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
// Integer-Arithmetic-Only Inference", 2018; additions as TensorFlow Lite computes them.
#include <algorithm>
#include <cmath>

#include "braid/convert/fixed_point.h"
#include "braid/convert/input_columns.h"
#include "braid/convert/scheme.h"

namespace braid::convert {
namespace {

using model::Op;

// The operands of an addition are brought to a common step with this many more bits.
constexpr int kAdditionBits = 20;

// eq. 15: real = (q - zero) * step for q in lowest..highest, 0 exactly representable.
struct Affine {
  double step = 1;
  int64_t zero = 0, lowest = 0, highest = 255;

  Affine() = default;
  Affine(double low, double high, int64_t lowest_q, int64_t highest_q)
      : lowest(lowest_q), highest(highest_q) {
    low = std::min(low, 0.0), high = std::max(high, 0.0);
    step = (high - low) / static_cast<double>(highest - lowest);
    if (!(step > 0)) step = 1;
    zero = std::clamp<int64_t>(std::llround(static_cast<double>(lowest) - low / step), lowest, highest);
  }
  int64_t Clamp(int64_t q) const { return std::clamp(q, lowest, highest); }
};

class MinMax final : public SchemeNetwork {
 public:
  MinMax(const FloatNetwork& from, const std::vector<LayerRanges>& ranges, int bits)
      : SchemeNetwork(from), layers_(from.layers.size()) {
    const int64_t highest = (int64_t{1} << bits) - 1;
    for (size_t l = 1; l < from.layers.size(); ++l) {
      const FloatLayer& layer = from.layers[l];
      const auto input = static_cast<size_t>(layer.input);
      Tensors& t = layers_[l];
      if (layer.op == Op::kMaxPool || layer.op == Op::kSumPool) {
        zero_[l] = zero_[input], step_[l] = step_[input];  // pools keep their map's
        t.map = layers_[input].map;
        low_[l] = low_[input], high_[l] = high_[input];
        continue;
      }
      const auto of = [&](const Range& r) { return Affine(r.low, r.high, 0, highest); };
      t.map = of(ranges[l].map), t.wide = of(ranges[l].wide), t.sum = of(ranges[l].sum);
      const auto [low, high] = std::minmax_element(layer.weights.begin(), layer.weights.end());
      const Affine weight(*low, *high, 1, highest);  // 0 is left out, as the paper has it
      weight_step_[l] = weight.step;
      std::vector<double> rounded;
      for (const double w : layer.weights) {
        const auto q = weight.Clamp(std::llround(w / weight.step) + weight.zero);
        rounded.push_back(static_cast<double>(q - weight.zero));
      }
      weights_[l] = OutputsLast(layer, AllChannels(from, layer, rounded));
      t.unit = step_[input] * weight.step;
      for (const double b : layer.bias) {
        t.bias.push_back(std::llround(std::clamp(b / t.unit, -2147483647.0, 2147483647.0)));
      }
      // A head's sums answer as they are: one unit for all classes.
      step_[l] = layer.op == Op::kLinear ? t.unit : t.map.step;
      zero_[l] = layer.op == Op::kLinear ? 0 : static_cast<double>(t.map.zero);
      if (layer.op == Op::kLinear) continue;
      low_[l] = static_cast<double>(t.map.lowest - t.map.zero) * t.map.step;
      high_[l] = static_cast<double>(t.map.highest - t.map.zero) * t.map.step;
    }
  }

 private:
  struct Tensors {
    Affine map, wide, sum;
    double unit = 1;  // of the accumulator
    std::vector<int64_t> bias;
  };

  void Finish(size_t l, const std::vector<double>& sums, State& state) const override {
    const FloatLayer& layer = from_.layers[l];
    const Tensors& t = layers_[l];
    std::vector<double>& map = state.map[l];
    std::vector<double>& wide = state.wide[l];
    map.resize(sums.size()), wide.resize(is_shortcut_[l] ? sums.size() : 0);
    if (layer.op == Op::kSumPool) {
      const int64_t n = int64_t{layer.window.kernel_h} * layer.window.kernel_w;
      for (size_t i = 0; i < sums.size(); ++i) {
        const int64_t q = static_cast<int64_t>(sums[i]) + n * t.map.zero;
        map[i] = static_cast<double>(t.map.Clamp((q + n / 2) / n));
      }
      return;
    }
    const auto channels = static_cast<size_t>(layer.channels);
    const bool adds = layer.shortcut >= 0;
    // Without a shortcut, from the accumulator; with one, from the common step of both operands.
    double common = t.unit;
    FixedPoint to_sum, own, other;
    if (adds) {
      const Affine& source = layers_[static_cast<size_t>(layer.shortcut)].wide;
      common = 2 * std::max(t.sum.step, source.step);
      to_sum = ToFixedPoint(t.unit / t.sum.step);
      own = ToFixedPoint(t.sum.step / common), other = ToFixedPoint(source.step / common);
      common /= int64_t{1} << kAdditionBits;
    }
    const FixedPoint to_map = ToFixedPoint(common / t.map.step);
    const FixedPoint to_wide = ToFixedPoint(common / t.wide.step);
    for (size_t i = 0; i < sums.size(); ++i) {
      int64_t v = static_cast<int64_t>(sums[i]) + t.bias[i % channels];
      if (layer.op == Op::kLinear) {
        map[i] = static_cast<double>(v);
        continue;
      }
      if (adds) {
        const auto s = static_cast<size_t>(layer.shortcut);
        const int64_t mine = t.sum.Clamp(Multiply(v, to_sum) + t.sum.zero) - t.sum.zero;
        const int64_t theirs = static_cast<int64_t>(state.wide[s][i]) - layers_[s].wide.zero;
        v = int64_t{Multiply(mine * (int64_t{1} << kAdditionBits), own)} +
            Multiply(theirs * (int64_t{1} << kAdditionBits), other);
      }
      const int64_t q = t.map.Clamp(Multiply(v, to_map) + t.map.zero);
      map[i] = static_cast<double>(layer.relu ? std::max(q, t.map.zero) : q);
      if (is_shortcut_[l]) {
        wide[i] = static_cast<double>(t.wide.Clamp(Multiply(v, to_wide) + t.wide.zero));
      }
    }
  }

  std::vector<Tensors> layers_;
};

}  // namespace

std::unique_ptr<SchemeNetwork> MakeMinMax(const FloatNetwork& from,
                                          const std::vector<LayerRanges>& ranges, int bits) {
  return std::make_unique<MinMax>(from, ranges, bits);
}

}  // namespace braid::convert
