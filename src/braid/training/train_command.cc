// braid-train train: one or several seeds of a recipe, to checkpoints and model files. Layer:
// training.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/file.h"
#include "braid/model/file.h"
#include "braid/training/commands.h"
#include "braid/training/run_log.h"
#include "braid/training/session.h"
#include "braid/training/trainer.h"

namespace braid::training {
namespace {

// Options as given; what is absent keeps the recipe's default.
struct TrainOptions {
  std::string family = "fluid2", data = "mnist", backbone = "cnn";
  std::vector<uint64_t> seeds = {1};
  std::optional<int> epochs, batch, channels, shift, outer;
  std::optional<double> learning_rate, weight_decay, distillation, sum_loss, full_weight,
      narrow_weight, bounded_from, bound_rank;
  std::optional<std::string> policy;
  std::optional<bool> flip, freeze, write_back;
  bool grouped = false, resume = false, json = false;
  std::string out;  // folder; one seed's run is in it, or in a sub-folder where there are several
  MachineOptions machine;
};

template <typename T>
void Take(const std::optional<T>& from, T& to) {
  if (from) to = *from;
}

Recipe RecipeOf(const TrainOptions& o, uint64_t seed) {
  Recipe r = DefaultRecipe(o.family, o.data, o.backbone);
  r.seed = seed;
  Take(o.epochs, r.epochs);
  Take(o.batch, r.batch);
  Take(o.channels, r.channels);
  Take(o.shift, r.shift);
  Take(o.outer, r.outer_iterations);
  Take(o.learning_rate, r.learning_rate);
  Take(o.weight_decay, r.weight_decay);
  Take(o.distillation, r.distillation);
  Take(o.sum_loss, r.sum_loss);
  Take(o.full_weight, r.full_weight);
  Take(o.narrow_weight, r.narrow_weight);
  Take(o.bounded_from, r.bounded_from);
  Take(o.bound_rank, r.bound_rank);
  Take(o.flip, r.flip);
  Take(o.freeze, r.freeze);
  Take(o.write_back, r.write_back);
  if (o.policy) r.policy = *o.policy == "joint" ? Policy::kJoint : Policy::kIncremental;
  r.dense = !o.grouped;
  return r;
}

// Trains or resumes one seed and exports it; the JSON of its result.
Result<std::string> TrainOne(const TrainOptions& options, uint64_t seed, const Splits& splits,
                             torch::Device device, const std::string& folder,
                             const std::atomic<bool>& stop) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Internal(folder + ": " + error.message());
  const RunFiles files(folder);
  Recipe recipe = RecipeOf(options, seed);
  const bool resume = options.resume && std::filesystem::exists(files.checkpoint);
  // The checkpoint decides: a resumed training that followed other options would be neither.
  if (resume) {
    BRAID_ASSIGN_OR_RETURN(recipe, ReadCheckpointRecipe(files.checkpoint));
  }
  if (resume && (recipe.data != options.data || recipe.family != options.family)) {
    return FailedPrecondition(files.checkpoint + ": is of " + recipe.family + " on " + recipe.data);
  }
  BRAID_ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> trainer,
                         Trainer::Create(recipe, splits.train, device));
  if (resume) BRAID_RETURN_IF_ERROR(trainer->Restore(files.checkpoint));

  const SystemClock clock;
  BRAID_ASSIGN_OR_RETURN(const std::unique_ptr<RunLog> log, RunLog::Open(files.log, clock));
  const nlohmann::ordered_json begin = {
      {"event", resume ? "resume" : "begin"},
      {"recipe", nlohmann::ordered_json::parse(RecipeToJson(recipe))},
      {"train_digest", splits.train.digest},
      {"test_digest", splits.test.digest}};
  log->Event(begin.dump());
  TrainerOptions run;
  run.checkpoint = files.checkpoint;
  run.stop = &stop;
  run.report = [&](const Progress& progress) { log->Report(progress); };
  BRAID_RETURN_IF_ERROR(trainer->Run(run));
  const double seconds = log->Seconds();

  const std::string path = folder + "/" + RunName(recipe) + ".braid";
  BRAID_ASSIGN_OR_RETURN(
      const ExportedModel exported,
      ExportRun(trainer->net(), trainer->family(), recipe, splits.train, splits.test,
                RunName(recipe), CommandOf(recipe) + LimitOf(options.machine),
                resume ? 0 : seconds));
  BRAID_RETURN_IF_ERROR(model::WriteModelFile(exported.network, path));
  std::string result = DescribeExport(exported, path);
  log->Event("{\"event\":\"result\",\"result\":" + result + "}");
  const std::string line = result + "\n";
  BRAID_RETURN_IF_ERROR(WriteFileAtomically(
      files.result, std::span(reinterpret_cast<const uint8_t*>(line.data()), line.size())));
  if (!options.json) PrintExport(exported, path);
  return result;
}

Status Train(const TrainOptions& options, const std::atomic<bool>& stop) {
  for (const uint64_t seed : options.seeds) {
    BRAID_RETURN_IF_ERROR(CheckRecipe(RecipeOf(options, seed)));
  }
  BRAID_ASSIGN_OR_RETURN(const torch::Device device, UseMachine(options.machine));
  BRAID_ASSIGN_OR_RETURN(const Splits splits, LoadSplits(options.data, options.machine));
  std::string results;
  for (const uint64_t seed : options.seeds) {
    std::string folder = options.out;
    if (folder.empty()) {
      folder = "runs/" + RunName(RecipeOf(options, seed));
    } else if (options.seeds.size() > 1) {
      folder += "/s" + std::to_string(seed);
    }
    BRAID_ASSIGN_OR_RETURN(const std::string result,
                           TrainOne(options, seed, splits, device, folder, stop));
    results += (results.empty() ? "" : ",") + result;
  }
  if (options.json) std::printf("{\"runs\":[%s]}\n", results.c_str());
  return OkStatus();
}

}  // namespace

void AddTrainCommand(CLI::App& program, Work& work, const std::atomic<bool>& stop) {
  CLI::App* train = program.add_subcommand("train", "Train a recipe and export the model");
  const auto o = std::make_shared<TrainOptions>();
  train
      ->add_option("--recipe", o->family,
                   "static, dynamic, fluid2, fluid4, alone1..3, ensemble2, ensemble4")
      ->capture_default_str();
  train->add_option("--data", o->data, "mnist, fashion-mnist, cifar10, digits, shapes")
      ->capture_default_str();
  train->add_option("--backbone", o->backbone, "cnn or resnet")->capture_default_str();
  train->add_option("--seed", o->seeds, "One or several, 1,2,3")->delimiter(',');
  train->add_option("--epochs", o->epochs, "Passes over the training set");
  train->add_option("--batch", o->batch, "Images in a step");
  train->add_option("--channels", o->channels, "Of the narrowest convolution, a multiple of 16");
  train->add_option("--learning-rate", o->learning_rate, "Its peak");
  train->add_option("--weight-decay", o->weight_decay, "Decoupled, of weights only");
  train->add_option("--shift", o->shift, "Moves images by up to this many pixels");
  train->add_flag("--flip,!--no-flip", o->flip, "Mirrors half of the images");
  train->add_option("--policy", o->policy, "joint or incremental")
      ->check(CLI::IsMember({"joint", "incremental"}));
  train->add_option("--outer-iterations", o->outer, "Rounds of incremental training");
  train->add_flag("--freeze,!--no-freeze", o->freeze, "Incremental: earlier weights stay");
  train->add_flag("--write-back,!--no-write-back", o->write_back,
                  "Incremental: upper sub-networks move the shared weights");
  train->add_flag("--grouped", o->grouped, "No cross weights between groups");
  train->add_option("--distillation", o->distillation, "Weight of the full network as a teacher");
  train->add_option("--sum-loss", o->sum_loss, "Weight of the loss of added logits");
  train->add_option("--full-weight", o->full_weight, "Weight of the full network's loss");
  train->add_option("--narrow-weight", o->narrow_weight, "Weight of single groups' losses");
  train->add_option("--bounded-from", o->bounded_from, "Share of steps before rounding begins");
  train->add_option("--bound-rank", o->bound_rank, "Rank fraction of the ReLU bounds");
  train->add_option("--out", o->out, "Folder of the run (runs/NAME)");
  train->add_flag("--resume", o->resume, "Go on from the run's checkpoint where there is one");
  train->add_option("--threads", o->machine.threads, "Of libtorch")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  train->add_option("--device", o->machine.device, "cpu or cuda")->capture_default_str();
  train->add_option("--limit", o->machine.limit, "Only the first N images of each split");
  train->add_flag("--offline", o->machine.offline, "Never download");
  train->add_flag("--json", o->json, "One JSON document on stdout");
  train->callback([o, &work, &stop] { work = [o, &stop] { return Train(*o, stop); }; });
}

}  // namespace braid::training
