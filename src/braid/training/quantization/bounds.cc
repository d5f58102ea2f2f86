// Rank statistics of activations. Layer: training.
#include "braid/training/quantization/bounds.h"

#include <algorithm>
#include <cmath>

namespace braid::training {
namespace {

// Maps that one layer reads together have one step, so one bound: the largest, so that none clips
// more than it would alone (numerics.md, section 4). Maps are joined through common readers.
void ShareBounds(const model::Network& network, std::vector<double>& bounds) {
  const auto source = [&](model::LayerIndex l) {  // a maximum keeps the step of its map
    while (network.layers[static_cast<size_t>(l)].op == model::Op::kMaxPool) {
      l = network.layers[static_cast<size_t>(l)].input;
    }
    return static_cast<size_t>(l);
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (const model::Layer& layer : network.layers) {
      if (layer.more_inputs.empty()) continue;
      double largest = 0;
      for (const model::LayerIndex input : layer.Inputs()) {
        largest = std::max(largest, bounds[source(input)]);
      }
      for (const model::LayerIndex input : layer.Inputs()) {
        double& bound = bounds[source(input)];
        changed |= bound < largest;
        bound = largest;
      }
    }
  }
}

}  // namespace

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
  ShareBounds(net.skeleton(), bounds);
  return bounds;
}

}  // namespace braid::training
