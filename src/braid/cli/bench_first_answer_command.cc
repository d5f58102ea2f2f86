// `braid bench-first-answer`: reads a model, answers one image, ends. `braid bench model` starts it
// to time a cold start; not for people. Layer: cli.
#include <memory>
#include <vector>

#include "braid/cli/commands.h"
#include "braid/cli/point_runner.h"
#include "braid/cli/report.h"
#include "braid/model/file.h"

namespace braid::cli {
namespace {

Status AnswerOnce(const std::string& path, const std::string& point_name) {
  BRAID_ASSIGN_OR_RETURN(const model::ModelFile file, model::ReadModelFile(path));
  const model::Network& network = file.network;
  const int index = model::FindPoint(network, point_name);
  if (index < 0) return NotFound("--point " + point_name + ": the model has no such point");
  PreparedShares shares(network, kernels::BestPath());
  BRAID_ASSIGN_OR_RETURN(const PointPlan plan,
                         PointPlan::Make(shares, network.points[static_cast<size_t>(index)], 1, 1));
  BRAID_ASSIGN_OR_RETURN(PointRun run, PointRun::Make(plan));
  const std::vector<uint8_t> pixels(
      static_cast<size_t>(network.input_h * network.input_w * network.input_c), 64);
  std::vector<int32_t> logits(network.labels.size());
  BRAID_RETURN_IF_ERROR(run.Logits(pixels, 1, logits));
  PrintJson({{"logits", logits}});
  return OkStatus();
}

}  // namespace

void AddBenchFirstAnswerCommand(CLI::App& program, Work& work) {
  struct Arguments {
    std::string model, point;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("bench-first-answer", "");
  command->group("");  // hidden: only `braid bench model` starts it
  command->add_option("--model", arguments->model)->required();
  command->add_option("--point", arguments->point)->required();
  command->callback([arguments, &work] {
    work = [arguments] { return AnswerOnce(arguments->model, arguments->point); };
  });
}

}  // namespace braid::cli
