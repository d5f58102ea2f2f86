// Restoration: a network that is shown a degraded image answers with what it adds to each pixel, on
// luma alone. One network serves all levels of a degradation: x2, x3 and x4 of super-resolution
// (Kim et al., "Accurate Image Super-Resolution Using Very Deep Convolutional Networks", 2016), the
// quantization parameters of coded images (artefact reduction: Dai et al., "A Convolutional Neural
// Network Approach for Post-Processing in HEVC Intra Coding", 2017). Layer: training.
#pragma once

#include <memory>
#include <string>

#include "braid/training/restoration/patches.h"
#include "braid/training/task.h"

namespace braid::training {

Patches::Options PatchOptions(const Recipe& recipe);

// `name` is the training set. Measured are Set5 and Set14, of a coded set Classic5 and Set14 at its
// quantization parameters; or the held-out images.
Result<std::unique_ptr<Task>> LoadRestoration(const std::string& name, int validation,
                                                  const MachineOptions& options);

}  // namespace braid::training
