// braid-train train: one or several seeds of a recipe, to checkpoints and model files. Layer:
// training.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/file.h"
#include "braid/training/commands.h"
#include "braid/training/run_log.h"
#include "braid/training/session.h"
#include "braid/training/task.h"
#include "braid/training/train_options.h"
#include "braid/training/trainer.h"

namespace braid::training {
namespace {

// Trains or resumes one seed and exports it; the JSON of its result.
Result<std::string> TrainOne(const TrainOptions& options, uint64_t seed, const Task& task,
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
  if (resume && (recipe.data != options.data || recipe.family != options.family ||
                 recipe.validation != options.validation)) {
    return FailedPrecondition(files.checkpoint + ": is of " + CommandOf(recipe));
  }
  BRAID_ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> trainer,
                         Trainer::Create(recipe, task, device));
  if (resume) {
    BRAID_RETURN_IF_ERROR(trainer->Restore(files.checkpoint));
  } else if (!recipe.from.empty()) {
    BRAID_RETURN_IF_ERROR(trainer->StartFrom(recipe.from).WithContext("--from"));
  }

  const SystemClock clock;
  BRAID_ASSIGN_OR_RETURN(const std::unique_ptr<RunLog> log, RunLog::Open(files.log, clock));
  nlohmann::ordered_json begin = {{"event", resume ? "resume" : "begin"},
                                  {"recipe", nlohmann::ordered_json::parse(RecipeToJson(recipe))}};
  begin.update(nlohmann::ordered_json::parse(task.DescribeData()));
  log->Event(begin.dump());
  TrainerOptions run;
  run.checkpoint = files.checkpoint;
  run.stop = &stop;
  run.report = [&](const Progress& progress) { log->Report(progress); };
  BRAID_RETURN_IF_ERROR(trainer->Run(run));
  FinishOptions finish;
  finish.path = folder + "/" + RunName(recipe) + ".braid";
  finish.command = CommandOf(recipe) + LimitOf(options.machine);
  finish.seconds = resume ? 0 : log->Seconds();
  finish.print = !options.json;
  BRAID_ASSIGN_OR_RETURN(const std::string result, task.Finish(*trainer, recipe, finish));
  log->Event("{\"event\":\"result\",\"result\":" + result + "}");
  const std::string line = result + "\n";
  BRAID_RETURN_IF_ERROR(WriteFileAtomically(
      files.result, std::span(reinterpret_cast<const uint8_t*>(line.data()), line.size())));
  return result;
}

Status Train(const TrainOptions& options, const std::atomic<bool>& stop) {
  for (const uint64_t seed : options.seeds) {
    BRAID_RETURN_IF_ERROR(CheckRecipe(RecipeOf(options, seed)));
  }
  BRAID_ASSIGN_OR_RETURN(const torch::Device device, UseMachine(options.machine));
  BRAID_ASSIGN_OR_RETURN(const std::unique_ptr<Task> task,
                         LoadTask(options.data, options.validation, options.machine));
  std::string results;
  for (const uint64_t seed : options.seeds) {
    std::string folder = options.out;
    if (folder.empty()) {
      folder = "runs/" + RunName(RecipeOf(options, seed));
    } else if (options.seeds.size() > 1) {
      folder += "/s" + std::to_string(seed);
    }
    BRAID_ASSIGN_OR_RETURN(const std::string result,
                           TrainOne(options, seed, *task, device, folder, stop));
    results += (results.empty() ? "" : ",") + result;
  }
  if (options.json) std::printf("{\"runs\":[%s]}\n", results.c_str());
  return OkStatus();
}

}  // namespace

void AddTrainCommand(CLI::App& program, Work& work, const std::atomic<bool>& stop) {
  CLI::App* train = program.add_subcommand("train", "Train a recipe and export the model");
  const auto o = std::make_shared<TrainOptions>();
  AddTrainOptions(*train, *o);
  train->callback([o, &work, &stop] { work = [o, &stop] { return Train(*o, stop); }; });
}

}  // namespace braid::training
