// The loop over stages and steps. Layer: training.
#include "braid/training/trainer.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "braid/training/backbone.h"
#include "braid/training/classification/classification.h"
#include "braid/training/quantization/bounds.h"

namespace braid::training {
namespace {

// Batches whose activations decide the bounds, and that refresh the statistics before folding.
constexpr int kCalibrationBatches = 8;
constexpr int kStatisticsBatches = 40;
// Steps over which the learning rate rises: Adam's first steps are as long as its later ones but
// know less.
constexpr int kWarmUpSteps = 100;

double LearningRate(double peak, int step, int steps) {
  const double warm = std::min(1.0, (step + 1.0) / std::min(kWarmUpSteps, std::max(steps / 10, 1)));
  return peak * warm * 0.5 * (1 + std::cos(std::numbers::pi * step / steps));
}

}  // namespace

Result<std::unique_ptr<Trainer>> Trainer::Create(const Recipe& recipe, const Task& task,
                                                 torch::Device device) {
  BRAID_RETURN_IF_ERROR(CheckRecipe(recipe));
  BRAID_ASSIGN_OR_RETURN(Family family, MakeFamily(recipe.family));
  BRAID_ASSIGN_OR_RETURN(const model::Network skeleton, task.Skeleton(recipe));
  std::unique_ptr<Trainer> trainer(new Trainer(recipe, std::move(family), skeleton, device));
  BRAID_ASSIGN_OR_RETURN(trainer->objective_, task.MakeObjective(recipe, trainer->family_));
  return trainer;
}

Result<std::unique_ptr<Trainer>> Trainer::Create(const Recipe& recipe, const data::Dataset& train,
                                                 torch::Device device) {
  BRAID_RETURN_IF_ERROR(CheckRecipe(recipe));
  BRAID_ASSIGN_OR_RETURN(Family family, MakeFamily(recipe.family));
  BRAID_ASSIGN_OR_RETURN(const model::Network skeleton, ClassifierSkeleton(recipe, train));
  std::unique_ptr<Trainer> trainer(new Trainer(recipe, std::move(family), skeleton, device));
  BRAID_ASSIGN_OR_RETURN(trainer->objective_,
                         MakeClassifierObjective(recipe, trainer->family_, train));
  return trainer;
}

Trainer::Trainer(const Recipe& recipe, Family family, const model::Network& skeleton,
                 torch::Device device)
    : recipe_(recipe),
      family_(std::move(family)),
      net_(skeleton, family_.sub_networks, BackboneNormalizes(recipe.backbone), device,
           recipe.bits),
      optimizer_(net_.parameters(),
                 {recipe.optimizer == "sgd" ? Optimizer::Method::kSgd : Optimizer::Method::kAdamW,
                  recipe.weight_decay}),
      stages_(MakeStages(family_, recipe)) {
  net_.Initialize(recipe.seed);
}

Status Trainer::Restore(const std::string& checkpoint) {
  BRAID_ASSIGN_OR_RETURN(position_, LoadCheckpoint(checkpoint, net_, optimizer_));
  const auto stages = static_cast<int>(stages_.size());
  if (position_.stage > stages || (position_.stage == stages) != position_.done ||
      (!position_.done &&
       position_.stage_step > StageSteps(stages_[static_cast<size_t>(position_.stage)]))) {
    return DataLoss(checkpoint + ": position lies outside the training");
  }
  return OkStatus();
}

Status Trainer::StartFrom(const std::string& checkpoint) {
  BRAID_ASSIGN_OR_RETURN(const Recipe other, ReadCheckpointRecipe(checkpoint));
  if (other.family != recipe_.family || other.backbone != recipe_.backbone ||
      other.channels != recipe_.channels || other.dense != recipe_.dense) {
    return InvalidArgument(checkpoint + ": is of another network: " + CommandOf(other));
  }
  BRAID_RETURN_IF_ERROR(LoadCheckpoint(checkpoint, net_, optimizer_).status());
  optimizer_.Restart();
  net_.ForgetBounds();
  return OkStatus();
}

int Trainer::StageSteps(const Stage& stage) const {
  return std::max(1, static_cast<int>(std::lround(stage.epochs * objective_->steps_per_epoch())));
}

void Trainer::Enter(const Stage& stage) {
  const bool everything = stage.trained == GroupSet::First(kGroups) && stage.frozen.empty() &&
                          stage.subs.size() == family_.sub_networks.size();
  trainable_ = torch::Tensor();
  if (everything) return;
  trainable_ = torch::zeros_like(net_.parameters().values());
  net_.MarkBlocks(trainable_, stage.trained, 1);
  net_.MarkBlocks(trainable_, stage.frozen, 0);
  for (const int sub : stage.subs) net_.MarkTables(trainable_, sub, 1);
}

Batch Trainer::BatchOf(int global_step) {
  const Batch batch = objective_->BatchOf(global_step);
  return {net_.Input(batch.pixels), batch.targets.to(net_.device())};
}

// Statistics are folded into gains and biases, bounds measured, and rounding begins.
void Trainer::Bound(const std::vector<int>& subs) {
  torch::NoGradGuard no_grad;
  net_.NewStep();
  std::vector<torch::Tensor> inputs;
  for (int i = 0; i < kStatisticsBatches; ++i) {
    inputs.push_back(BatchOf(position_.global_step + i).pixels);
  }
  for (const int sub : subs) {
    if (net_.normalizing(sub)) {
      for (const torch::Tensor& x : inputs) net_.Forward(sub, x, /*training=*/true);
      net_.FoldNormalization(sub);
    }
  }
  inputs.resize(kCalibrationBatches);
  for (const int sub : subs) {
    if (net_.bounded(sub)) continue;
    net_.SetBounds(sub, CalibrateBounds(net_, sub, inputs, recipe_.bound_rank));
  }
}

void Trainer::BoundAll() {
  std::vector<int> subs(static_cast<size_t>(net_.sub_network_count()));
  std::iota(subs.begin(), subs.end(), 0);
  Bound(subs);
}

torch::Tensor Trainer::Step(const Stage& stage, double learning_rate) {
  const Batch batch = BatchOf(position_.global_step);
  net_.NewStep();
  std::vector<int> subs = stage.subs;
  if (subs.size() > 1) {
    Rng rng(recipe_.seed * 0x9E3779B97F4A7C15ull + static_cast<uint64_t>(position_.global_step));
    subs = SampleStep(family_, rng);
  }
  torch::Tensor loss = objective_->Loss(net_, subs, batch.pixels, batch.targets);
  loss.backward();
  if (recipe_.clip > 0) net_.parameters().ClipGradient(recipe_.clip);
  optimizer_.Step(learning_rate, trainable_);
  return loss.detach();
}

Status Trainer::Run(const TrainerOptions& options) {
  // All steps have the same shapes, so cuDNN may time its algorithms once; evaluations have many.
  at::globalContext().setBenchmarkCuDNN(true);
  const std::unique_ptr<void, void (*)(void*)> restore(
      this, [](void*) { at::globalContext().setBenchmarkCuDNN(false); });
  int total = 0, done = 0;
  for (size_t s = 0; s < stages_.size(); ++s) {
    total += StageSteps(stages_[s]);
    if (static_cast<int>(s) < position_.stage) done += StageSteps(stages_[s]);
  }
  done += position_.stage_step;
  const int every =
      options.checkpoint_every > 0 ? options.checkpoint_every : objective_->steps_per_epoch();
  const auto save = [&]() -> Status {
    if (options.checkpoint.empty()) return OkStatus();
    return SaveCheckpoint(options.checkpoint, recipe_, net_, optimizer_, position_);
  };
  // Losses stay on the device between reports: reading one waits for the step to end.
  torch::Tensor loss_sum;
  int loss_count = 0;
  for (; position_.stage < static_cast<int>(stages_.size());
       ++position_.stage, position_.stage_step = 0) {
    const Stage& stage = stages_[static_cast<size_t>(position_.stage)];
    const int steps = StageSteps(stage);
    const int bounded_from = static_cast<int>(recipe_.bounded_from * steps);
    Enter(stage);
    if (position_.stage_step == 0 && position_.stage > 0) {
      // Moments of other sub-networks' gradients would push weights that now have other duties.
      optimizer_.Restart();
    }
    while (position_.stage_step < steps) {
      if (options.stop != nullptr && *options.stop) {
        BRAID_RETURN_IF_ERROR(save());
        return Status(StatusCode::kCancelled, "stopped; --resume goes on from the checkpoint");
      }
      if (stage.bounds && position_.stage_step == bounded_from) Bound(stage.subs);
      const double rate = LearningRate(recipe_.learning_rate, position_.stage_step, steps);
      const torch::Tensor loss = Step(stage, rate);
      loss_sum = loss_sum.defined() ? loss_sum + loss : loss;
      ++loss_count;
      ++position_.stage_step;
      ++position_.global_step;
      ++done;
      const bool reports = done % options.report_every == 0 || done == total;
      const bool saves = position_.global_step % every == 0;
      if (!reports && !saves) continue;
      const double mean = loss_sum.item<double>() / loss_count;
      if (!std::isfinite(mean)) return Internal("the loss is not finite any more");
      if (reports) {
        if (options.report) options.report({stage.name, done, total, mean, rate});
        loss_sum = torch::Tensor();
        loss_count = 0;
      }
      if (saves) BRAID_RETURN_IF_ERROR(save());
    }
    if (stage.bounds && bounded_from >= steps) Bound(stage.subs);
  }
  position_.done = true;
  return save();
}

}  // namespace braid::training
