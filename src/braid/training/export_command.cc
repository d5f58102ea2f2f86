// braid-train export: from a checkpoint to a model file. Layer: training.
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "braid/training/checkpoint.h"
#include "braid/training/commands.h"
#include "braid/training/session.h"
#include "braid/training/task.h"
#include "braid/training/trainer.h"

namespace braid::training {
namespace {

struct ExportOptions {
  std::string checkpoint, out;
  bool unfinished = false, json = false;
  std::optional<double> bound_rank;
  MachineOptions machine;
};

Status Export(const ExportOptions& options) {
  BRAID_ASSIGN_OR_RETURN(const torch::Device device, UseMachine(options.machine));
  BRAID_ASSIGN_OR_RETURN(Recipe recipe, ReadCheckpointRecipe(options.checkpoint));
  if (options.bound_rank) recipe.bound_rank = *options.bound_rank;
  BRAID_RETURN_IF_ERROR(CheckRecipe(recipe));
  if (recipe.bits != 8) {
    return FailedPrecondition(options.checkpoint + ": was trained for " +
                              std::to_string(recipe.bits) + " bits; a model file holds 8");
  }
  BRAID_ASSIGN_OR_RETURN(const std::unique_ptr<Task> task,
                         LoadTask(recipe.data, recipe.validation, options.machine));
  BRAID_ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> trainer,
                         Trainer::Create(recipe, *task, device));
  BRAID_RETURN_IF_ERROR(trainer->Restore(options.checkpoint));
  std::string stopped;
  if (!trainer->position().done) {
    if (!options.unfinished) {
      return FailedPrecondition(options.checkpoint +
                                ": the training has not ended (train --resume, or --unfinished)");
    }
    stopped = " (stopped after step " + std::to_string(trainer->position().global_step) + ")";
  }
  if (options.bound_rank) trainer->net().ForgetBounds();
  if (!stopped.empty() || options.bound_rank) trainer->BoundAll();
  FinishOptions finish;
  finish.path = options.out.empty() ? RunName(recipe) + ".braid" : options.out;
  finish.command = CommandOf(recipe) + LimitOf(options.machine) + stopped;
  finish.print = !options.json;
  BRAID_ASSIGN_OR_RETURN(const std::string result, task->Finish(*trainer, recipe, finish));
  if (options.json) std::printf("%s\n", result.c_str());
  return OkStatus();
}

}  // namespace

void AddExportCommand(CLI::App& program, Work& work) {
  CLI::App* command = program.add_subcommand("export", "Make a model file from a checkpoint");
  const auto o = std::make_shared<ExportOptions>();
  command->add_option("--checkpoint", o->checkpoint, "checkpoint.safetensors of a finished run")
      ->required();
  command->add_option("--out", o->out, "The .braid file to write (NAME.braid)");
  command->add_option("--threads", o->machine.threads, "Of libtorch")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_option("--device", o->machine.device, "cpu or cuda")->capture_default_str();
  command->add_option("--limit", o->machine.limit, "Only the first N images of each split");
  command->add_flag("--unfinished", o->unfinished,
                    "A training that was stopped, too: bounds are measured now");
  command->add_option("--bound-rank", o->bound_rank,
                      "Measure the bounds anew at this rank fraction of the activations");
  command->add_flag("--offline", o->machine.offline, "Never download");
  command->add_flag("--json", o->json, "One JSON document on stdout");
  command->callback([o, &work] { work = [o] { return Export(*o); }; });
}

}  // namespace braid::training
