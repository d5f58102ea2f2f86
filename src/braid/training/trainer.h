// The training loop: stages of a recipe, checkpoints, bounds and rounding towards the end of each
// stage. Layer: training.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "braid/base/status.h"
#include "braid/data/dataset.h"
#include "braid/training/braided_net.h"
#include "braid/training/checkpoint.h"
#include "braid/training/family.h"
#include "braid/training/fluid/stages.h"
#include "braid/training/objective.h"
#include "braid/training/parameters.h"
#include "braid/training/recipe.h"
#include "braid/training/task.h"

namespace braid::training {

// What the loop tells while it runs; the caller prints and logs.
struct Progress {
  std::string stage;
  int step = 0, steps = 0;  // of the whole training
  double loss = 0;          // mean since the last report
  double learning_rate = 0;
};

struct TrainerOptions {
  std::string checkpoint;                       // path; empty: none is written
  int checkpoint_every = 0;                     // steps; 0: once an epoch
  const std::atomic<bool>* stop = nullptr;      // true: save and return CANCELLED
  int report_every = 50;                        // steps
  std::function<void(const Progress&)> report;  // may be empty
};

class Trainer {
 public:
  // `task` must outlive this. INVALID_ARGUMENT when recipe and data do not fit.
  static Result<std::unique_ptr<Trainer>> Create(const Recipe& recipe, const Task& task,
                                                 torch::Device device);
  // A classifier of `train`, which must outlive this.
  static Result<std::unique_ptr<Trainer>> Create(const Recipe& recipe, const data::Dataset& train,
                                                 torch::Device device);

  // Goes on from a checkpoint of the same recipe.
  Status Restore(const std::string& checkpoint);
  // Takes the weights of a checkpoint whose network is the same; its recipe may be another.
  Status StartFrom(const std::string& checkpoint);
  // Trains to the end. CANCELLED when told to stop: the checkpoint is written then.
  Status Run(const TrainerOptions& options);

  // Gives bounds to every sub-network that has none yet, so that a training that was stopped can be
  // exported as it stands.
  void BoundAll();

  BraidedNet& net() { return net_; }
  const Family& family() const { return family_; }
  const Position& position() const { return position_; }

 private:
  Trainer(const Recipe& recipe, Family family, const model::Network& skeleton,
          torch::Device device);
  int StageSteps(const Stage& stage) const;
  void Enter(const Stage& stage);
  void Bound(const std::vector<int>& subs);
  torch::Tensor Step(const Stage& stage, double learning_rate);  // the loss, on the device
  Batch BatchOf(int global_step);

  Recipe recipe_;
  Family family_;
  BraidedNet net_;
  Optimizer optimizer_;
  std::unique_ptr<Objective> objective_;  // borrows family_
  std::vector<Stage> stages_;
  torch::Tensor trainable_;  // flat mask of the stage; undefined: everything
  Position position_;
};

}  // namespace braid::training
