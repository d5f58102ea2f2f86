// The Bounded ReLU scheme over the tables of a .braid network, with any number of levels. Layer:
// convert.
#include <algorithm>
#include <cmath>
#include <utility>

#include "braid/convert/input_columns.h"
#include "braid/convert/scheme.h"
#include "braid/kernels/requantization.h"
#include "braid/model/layer_map.h"

namespace braid::convert {
namespace {

using model::Op;

// eq. 8: (clamp(value) * mul + 2^(shift-1)) >> shift.
int64_t Rescale(int64_t value, int64_t clamp, int64_t mul, int shift) {
  return (std::clamp(value, -clamp, clamp) * mul + (int64_t{1} << (shift - 1))) >> shift;
}

class Bounded final : public SchemeNetwork {
 public:
  Bounded(const FloatNetwork& from, QuantizedNetwork quantized, int bits)
      : SchemeNetwork(from),
        network_(std::move(quantized.network)),
        levels_((int64_t{1} << (bits - 1)) - 1) {
    step_ = quantized.map_steps;
    step_.back() = quantized.logit_step;
    weight_step_ = quantized.weight_steps;
    for (size_t l = 0; l < from.layers.size(); ++l) {
      const FloatLayer& layer = from.layers[l];
      if (layer.op != Op::kInput && layer.op != Op::kLinear) {
        high_[l] = static_cast<double>(levels_) * step_[l];
        low_[l] = layer.relu ? 0 : -high_[l];
      }
      if (layer.weights.empty()) continue;
      // The file's channels are filled up to multiples of 4; here they are not.
      const std::vector<InputColumn> columns = InputColumns(from, layer);
      const auto stored =
          static_cast<size_t>(model::WeightExtentsOf(network_, network_.layers[l]).inputs);
      std::vector<double> plain(layer.weights.size());
      for (size_t i = 0; i < plain.size(); ++i) {
        plain[i] = network_.layers[l].weights[i / columns.size() * stored +
                                              columns[i % columns.size()].stored];
      }
      weights_[l] = OutputsLast(layer, AllChannels(from, layer, plain));
    }
  }

 private:
  void Finish(size_t l, const std::vector<double>& sums, State& state) const override {
    const FloatLayer& layer = from_.layers[l];
    const model::LayerTables& tables = network_.sub_networks[0].tables[l];
    const auto channels = static_cast<size_t>(layer.channels);
    state.map[l].resize(sums.size());
    if (is_shortcut_[l]) state.wide[l].resize(sums.size());
    for (size_t i = 0; i < sums.size(); ++i) {
      const size_t c = i % channels;
      int64_t v = static_cast<int64_t>(sums[i]) + tables.bias[c];  // eq. 3
      if (layer.op == Op::kLinear) {
        state.map[l][i] =
            static_cast<double>(Rescale(v, tables.clamp, tables.mul[c], tables.shift));
        continue;
      }
      if (layer.shortcut >= 0) {
        v += Rescale(static_cast<int64_t>(state.wide[static_cast<size_t>(layer.shortcut)][i]),
                     tables.shortcut_clamp, tables.shortcut_mul[c], tables.shortcut_shift);
      }
      if (is_shortcut_[l]) state.wide[l][i] = static_cast<double>(v);
      const int64_t m = tables.mul[c];  // import makes none that is negative or 0
      const int64_t h = (levels_ * kernels::kMaxMultiplier + m / 2) / m;  // eq. 5
      const int64_t y = std::clamp(v, layer.relu ? 0 : -h, h) * m;
      state.map[l][i] = static_cast<double>((y + kernels::kMaxMultiplier / 2) >>
                                            kernels::kRequantizationShift);  // eq. 4
    }
  }

  model::Network network_;
  int64_t levels_;
};

}  // namespace

std::unique_ptr<SchemeNetwork> MakeBounded(const FloatNetwork& from, QuantizedNetwork quantized,
                                           int bits) {
  return std::make_unique<Bounded>(from, std::move(quantized), bits);
}

}  // namespace braid::convert
