// Checkpoints: parameters, moments, buffers and the position in the training, in one safetensors
// file from which a training goes on as if it had never stopped. Layer: training.
#pragma once

#include <string>

#include "braid/base/status.h"
#include "braid/training/braided_net.h"
#include "braid/training/parameters.h"
#include "braid/training/recipe.h"

namespace braid::training {

// Where a training stands. Shuffles and augmentation are functions of the seed and of this.
struct Position {
  int stage = 0;       // index into MakeStages
  int stage_step = 0;  // steps done in it
  int global_step = 0;
  bool done = false;
};

Status SaveCheckpoint(const std::string& path, const Recipe& recipe, BraidedNet& net,
                      Optimizer& optimizer, const Position& position);

// The recipe alone, to build the network from. DATA_LOSS for a damaged file.
Result<Recipe> ReadCheckpointRecipe(const std::string& path);

// Fills `net` and `optimizer`, which were made from the checkpoint's recipe. DATA_LOSS when a
// tensor is missing, has another shape or is not finite; then both are unspecified.
Result<Position> LoadCheckpoint(const std::string& path, BraidedNet& net, Optimizer& optimizer);

}  // namespace braid::training
