// Bounds of the Bounded ReLUs, from the rank of activations on training data. Layer: training.
// Source: Efficient Integer-Arithmetic-Only CNNs with Bounded ReLU (arXiv 2006.11735): per batch
// the activation at a rank fraction, zeros included, averaged over batches.
#pragma once

#include <vector>

#include "braid/training/braided_net.h"

namespace braid::training {

// Bound per layer (0 where the layer has none) of sub-network `sub`, from inputs [N,C,H,W] as
// BraidedNet::Input makes them; a layer that is never active gets the bound 1. Maps
// that one layer reads together get one bound (the paper's rule for concatenation).
std::vector<double> CalibrateBounds(BraidedNet& net, int sub,
                                    const std::vector<torch::Tensor>& inputs, double rank_fraction);

}  // namespace braid::training
