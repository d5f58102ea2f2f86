// Options of braid-train train. Layer: training.
#include "braid/training/train_options.h"

namespace braid::training {
namespace {

template <typename T>
void Take(const std::optional<T>& from, T& to) {
  if (from) to = *from;
}

// A switch that stays empty when it is not given: CLI11 sets an optional<bool> bound to a flag to
// false in that case, which would override the recipe.
void AddSwitch(CLI::App& command, const std::string& names, std::optional<bool>& value,
               const std::string& help) {
  command.add_flag_function(
      names, [&value](int64_t count) { value = count > 0; }, help);
}

}  // namespace

void AddTrainOptions(CLI::App& command, TrainOptions& o) {
  command
      .add_option("--recipe", o.family,
                  "static, dynamic, fluid2, fluid4, alone1..3, ensemble2, ensemble4")
      ->capture_default_str();
  command
      .add_option("--data", o.data, "mnist, fashion-mnist, cifar10, digits, shapes; t91 for vdsr, t91-hevc for vrcnn")
      ->capture_default_str();
  command
      .add_option("--backbone", o.backbone, "cnn, resnet or resnet14, 20, ... 110, densenet8, 11, ... 53, vdsr or "
                  "vdsrN, vrcnn")
      ->capture_default_str();
  command.add_option("--seed", o.seeds, "One or several, 1,2,3")->delimiter(',');
  command.add_option("--epochs", o.epochs, "Passes over the training set");
  command.add_option("--batch", o.batch, "Images in a step");
  command.add_option("--channels", o.channels, "Of the narrowest convolution, a multiple of 16");
  command.add_option("--optimizer", o.optimizer, "adamw, or sgd with Nesterov's momentum")
      ->check(CLI::IsMember({"adamw", "sgd"}));
  command.add_option("--learning-rate", o.learning_rate, "Its peak");
  command.add_option("--weight-decay", o.weight_decay, "Decoupled, of weights only");
  command.add_option("--shift", o.shift, "Moves images by up to this many pixels");
  AddSwitch(command, "--flip,!--no-flip", o.flip, "Mirrors half of the images");
  command.add_option("--patch", o.patch, "vdsr, vrcnn: side of the training patches");
  command.add_option("--clip", o.clip, "Largest norm of the gradient");
  command.add_option("--loss", o.loss, "vdsr, vrcnn: error that is lowered")
      ->check(CLI::IsMember({"absolute", "squared"}));
  command.add_option("--policy", o.policy, "joint or incremental")
      ->check(CLI::IsMember({"joint", "incremental"}));
  command.add_option("--outer-iterations", o.outer, "Rounds of incremental training");
  AddSwitch(command, "--freeze,!--no-freeze", o.freeze, "Incremental: earlier weights stay");
  AddSwitch(command, "--write-back,!--no-write-back", o.write_back,
            "Incremental: upper sub-networks move the shared weights");
  command.add_flag("--grouped", o.grouped, "No cross weights between groups");
  command.add_option("--distillation", o.distillation, "Weight of the full network as a teacher");
  command.add_option("--sum-loss", o.sum_loss, "Weight of the loss of added logits");
  command.add_option("--full-weight", o.full_weight, "Weight of the full network's loss");
  command.add_option("--narrow-weight", o.narrow_weight, "Weight of single groups' losses");
  command.add_option("--from", o.from,
                     "Start from the weights of another run's checkpoint; bounds are measured anew");
  command.add_option("--bounded-from", o.bounded_from, "Share of steps before rounding begins");
  command.add_option("--bound-rank", o.bound_rank, "Rank fraction of the ReLU bounds");
  command.add_option("--bits", o.bits, "Of rounded weights and activations (8, which a model file holds)")
      ->check(CLI::Range(2, 8));
  command
      .add_option("--validation", o.validation,
                  "Hold the last N training images out, and report accuracies on them instead of "
                  "the test set")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--out", o.out, "Folder of the run (runs/NAME)");
  command.add_flag("--resume", o.resume, "Go on from the run's checkpoint where there is one");
  command.add_option("--threads", o.machine.threads, "Of libtorch")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command.add_option("--device", o.machine.device, "cpu or cuda")->capture_default_str();
  command.add_option("--limit", o.machine.limit, "Only the first N images of each split");
  command.add_flag("--offline", o.machine.offline, "Never download");
  command.add_flag("--json", o.json, "One JSON document on stdout");
}

Recipe RecipeOf(const TrainOptions& o, uint64_t seed) {
  Recipe r = DefaultRecipe(o.family, o.data, o.backbone);
  r.seed = seed;
  Take(o.epochs, r.epochs);
  Take(o.batch, r.batch);
  Take(o.channels, r.channels);
  Take(o.shift, r.shift);
  Take(o.patch, r.patch);
  Take(o.clip, r.clip);
  Take(o.loss, r.loss);
  Take(o.outer, r.outer_iterations);
  Take(o.optimizer, r.optimizer);
  Take(o.learning_rate, r.learning_rate);
  Take(o.weight_decay, r.weight_decay);
  Take(o.distillation, r.distillation);
  Take(o.sum_loss, r.sum_loss);
  Take(o.full_weight, r.full_weight);
  Take(o.narrow_weight, r.narrow_weight);
  Take(o.bounded_from, r.bounded_from);
  Take(o.bound_rank, r.bound_rank);
  Take(o.bits, r.bits);
  Take(o.flip, r.flip);
  Take(o.freeze, r.freeze);
  Take(o.write_back, r.write_back);
  if (o.policy) r.policy = *o.policy == "joint" ? Policy::kJoint : Policy::kIncremental;
  r.dense = !o.grouped;
  r.from = o.from;
  r.validation = o.validation;
  return r;
}

}  // namespace braid::training
