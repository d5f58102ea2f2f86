// Rank statistics of activations. Layer: training.
#include "braid/training/quantization/bounds.h"

#include <algorithm>
#include <cmath>

namespace braid::training {

std::vector<double> CalibrateBounds(BraidedNet& net, int sub,
                                    const std::vector<torch::Tensor>& inputs,
                                    double rank_fraction) {
  torch::NoGradGuard no_grad;
  const auto& layers = net.skeleton().layers;
  std::vector<double> bounds(layers.size(), 0);
  for (const torch::Tensor& x : inputs) {
    Observation observation;
    net.Forward(sub, x, /*training=*/false, &observation);
    for (size_t l = 0; l < layers.size(); ++l) {
      if (layers[l].activation != model::Activation::kRelu || !observation.wide[l].defined()) {
        continue;
      }
      const torch::Tensor flat = observation.wide[l].flatten();
      const auto rank =
          static_cast<int64_t>(std::ceil(rank_fraction * static_cast<double>(flat.numel())));
      const int64_t k = std::clamp<int64_t>(rank, 1, flat.numel());
      const double value = std::get<0>(flat.kthvalue(k)).item<double>();
      bounds[l] += std::max(value, 0.0) / static_cast<double>(inputs.size());
    }
  }
  for (size_t l = 0; l < layers.size(); ++l) {
    const bool rectified = layers[l].activation == model::Activation::kRelu && l > 0;
    if (rectified && bounds[l] <= 0) bounds[l] = 1;
  }
  return bounds;
}

}  // namespace braid::training
