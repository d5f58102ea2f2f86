// `braid bench ladder`: what each idea of the kernels gained, case by case. Layer: bench.
#include <fmt/format.h>

#include <memory>

#include "braid/bench/commands.h"
#include "braid/bench/ladder.h"
#include "braid/bench/machine.h"
#include "braid/bench/report.h"
#include "braid/bench/rounds.h"

namespace braid::bench {
namespace {

struct Arguments {
  std::vector<std::string> cases = {"gemm_156800x16x36", "gemm_6x512x512", "gemm_102x1024x512",
                                    "conv3x3_32x32x16", "conv3x3_16x16x64"};
  int rounds = 7;
  int min_ms = 10;
  bool json = false;
};

Result<KernelCase> FindCase(const std::string& name) {
  for (const KernelCase& c : AllCases()) {
    if (c.name() == name) return c;
  }
  return NotFound("--cases " + name + ": there is no such case of `braid bench kernels`");
}

Result<Json> RunCase(const std::string& name, const RoundOptions& options,
                     std::vector<std::vector<std::string>>& table) {
  BRAID_ASSIGN_OR_RETURN(const KernelCase shape, FindCase(name));
  const Problem problem = MakeProblem(shape, ElementKind::kU7, 1);
  BRAID_ASSIGN_OR_RETURN(const std::vector<LadderStep> steps, MakeLadder(problem));
  std::vector<std::function<void()>> ways;
  for (const LadderStep& step : steps) {
    step.contender->Run();
    BRAID_RETURN_IF_ERROR(
        CheckOutput(problem, *step.contender).WithContext(step.name + ", " + name));
    ways.push_back([contender = step.contender.get()] { contender->Run(); });
  }
  const std::vector<RoundTimes> times = TimeInTurn(ways, SystemClock(), options);
  Json rows = Json::array();
  for (size_t i = 0; i < steps.size(); ++i) {
    const double gops = shape.operations() / times[i].Best();
    const Spread gain = SpeedRatio(times[i], times[i == 0 ? 0 : i - 1]);
    rows.push_back({{"step", steps[i].name}, {"gops", gops}, {"gain", ToJson(gain)}});
    table.push_back({name, steps[i].name, fmt::format("{:.1f}", gops),
                     i == 0 ? "" : fmt::format("{:.2f}", gain.median)});
  }
  return Json{{"name", name}, {"steps", rows}};
}

Status RunLadder(const Arguments& arguments) {
  BRAID_RETURN_IF_ERROR(StayOnThisCore());
  const RoundOptions options{arguments.rounds, std::chrono::milliseconds(arguments.min_ms)};
  std::vector<std::vector<std::string>> table = {{"case", "step", "GOPS", "gain"}};
  Json cases = Json::array();
  for (const std::string& name : arguments.cases) {
    BRAID_ASSIGN_OR_RETURN(Json result, RunCase(name, options, table));
    cases.push_back(std::move(result));
  }
  if (arguments.json) {
    PrintJson({{"version", BRAID_VERSION}, {"processor", ProcessorModel()}, {"cases", cases}});
    return OkStatus();
  }
  PrintTable(table);
  return OkStatus();
}

}  // namespace

void AddLadderCommand(CLI::App& program, Work& work) {
  const auto a = std::make_shared<Arguments>();
  CLI::App* command =
      program.add_subcommand("ladder", "What each idea of the kernels gained, case by case");
  command->add_option("--cases", a->cases, "Names of `braid bench kernels`")->delimiter(',');
  command->add_option("--rounds", a->rounds, "Turns of each step")->check(CLI::Range(1, 1000));
  command->add_option("--min-ms", a->min_ms, "Time of one turn")->check(CLI::Range(1, 10'000));
  command->add_flag("--json", a->json, "One JSON document on standard output");
  command->callback([a, &work] { work = [a] { return RunLadder(*a); }; });
}

}  // namespace braid::bench
