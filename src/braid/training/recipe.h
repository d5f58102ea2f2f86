// A recipe: everything that decides what a training yields, by name. Layer: training.
#pragma once

#include <cstdint>
#include <string>

#include "braid/base/status.h"

namespace braid::training {

// How the sub-networks of a family share the steps (docs/results/fluid.md compares them).
enum class Policy : uint8_t {
  kJoint = 0,        // every step adds the losses of several sub-networks
  kIncremental = 1,  // one sub-network after the other (nested incremental training)
};

struct Recipe {
  std::string family = "fluid2";
  std::string data = "mnist";
  std::string backbone = "cnn";
  int channels = 32;
  bool dense = true;  // cross weights between groups, or grouped convolution
  uint64_t seed = 1;

  int epochs = 5;  // passes over the training set for every sub-network that is not sampled
  int batch = 64;
  std::string optimizer = "adamw";  // or "sgd", with Nesterov's momentum of 0.9
  double learning_rate = 1e-2;  // the peak; cosine to 0 in every stage
  double weight_decay = 1e-3;
  int shift = 1;  // augmentation, Augmentation in batches.h
  bool flip = false;
  int patch = 41;   // side of the patches that restoring networks are trained on
  double clip = 0;  // the gradient's largest norm; 0: any
  std::string loss = "absolute";  // error that restoring networks lower, or "squared"

  Policy policy = Policy::kJoint;
  int outer_iterations = 1;  // kIncremental: rounds over all sub-networks, epochs divided by them
  bool freeze = false;       // kIncremental: earlier sub-networks' weights no longer move
  bool write_back = true;    // kIncremental: upper sub-networks change the shared weights too
  double distillation = 0;   // weight of the full network's probabilities as targets of the others
  double sum_loss = 0.5;     // weight of the cross-entropy of added logits
  double full_weight = 1;    // weight of the full network's loss among those of a step
  double narrow_weight = 1;  // weight of the losses of single channel groups

  // The checkpoint of another run of the same network whose weights this one starts from. Bounds are
  // measured anew; "" starts from random weights.
  std::string from;

  // Share of each stage's steps after which bounds are calibrated and rounding is trained with.
  double bounded_from = 0.75;
  // Bound of a Bounded ReLU: the activation at this rank fraction, zeros included.
  double bound_rank = 0.9997;
  // Of weights and activations where they are rounded. A model file holds 8; with fewer the rounded
  // network is measured in floating point.
  int bits = 8;

  // The last images of the training set that are held out: not trained on, and what accuracies are
  // measured on instead of the test set. Settings are chosen on them. 0: none.
  int validation = 0;
};

// The defaults for a family on a data set: epochs, augmentation, policy.
Recipe DefaultRecipe(const std::string& family, const std::string& data,
                     const std::string& backbone);

// INVALID_ARGUMENT that names the field.
Status CheckRecipe(const Recipe& recipe);

// JSON with one key a field; an unknown key, a wrong type or a value out of range is an error.
std::string RecipeToJson(const Recipe& recipe);
Result<Recipe> RecipeFromJson(const std::string& json);

// The command that trains the same again.
std::string CommandOf(const Recipe& recipe);

// "fluid2_mnist_s1"; "static_resnet20_cifar10_s1" where the backbone is neither cnn nor resnet;
// "static_mnist_s1_4bit" where it is rounded to fewer bits than 8; "fluid2_mnist_s1_held-out" where
// training images were held out. Other deviations are named by the
// caller.
std::string RunName(const Recipe& recipe);

}  // namespace braid::training
