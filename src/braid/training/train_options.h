// The options of braid-train train and the recipe that they mean. Layer: training.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "braid/training/recipe.h"
#include "braid/training/session.h"

namespace braid::training {

// Options as given; what is absent keeps the recipe's default.
struct TrainOptions {
  std::string family = "fluid2", data = "mnist", backbone = "cnn";
  std::vector<uint64_t> seeds = {1};
  std::optional<int> epochs, batch, channels, shift, patch, outer, bits;
  std::optional<double> learning_rate, weight_decay, clip, distillation, sum_loss, full_weight,
      narrow_weight, bounded_from, bound_rank;
  std::optional<std::string> policy, optimizer, loss;
  std::optional<bool> flip, freeze, write_back;
  std::string from;  // a checkpoint
  int validation = 0;
  bool grouped = false, resume = false, json = false;
  std::string out;  // folder; one seed's run is in it, or in a sub-folder where there are several
  MachineOptions machine;
};

// Declares the options on `command`; parsing fills `options`, which must outlive it.
void AddTrainOptions(CLI::App& command, TrainOptions& options);

// The defaults of the family, data and backbone, changed by the options that were given.
Recipe RecipeOf(const TrainOptions& options, uint64_t seed);

}  // namespace braid::training
