// `braid bench`: ways of using two devices side by side in one run (`cluster`), and what the program
// braid-bench measures. Layer: cli.
#include <spdlog/spdlog.h>

#include <filesystem>
#include <memory>
#include <thread>

#include "braid/cli/bench_cluster/cases.h"
#include "braid/cli/bench_cluster/measure.h"
#include "braid/cli/bench_cluster/report.h"
#include "braid/cli/bench_serve/command.h"
#include "braid/cli/commands.h"
#include "braid/cli/report.h"
#include "braid/cli/sibling_program.h"

namespace braid::cli {
namespace {

struct Arguments {
  std::string models = "models";
  std::vector<std::string> networks = {"mnist"};
  int rounds = 3;
  int measure_ms = 1000;
  bool quick = false;
  bool json = false;
};

// The committed models of a data set; empty paths where one is missing.
BenchNetwork NetworkOf(const std::string& folder, const std::string& data) {
  const auto path = [&](const char* family) {
    return folder + "/" + family + "_" + data + "_s1.braid";
  };
  return {data, path("fluid2"), path("static"), path("dynamic")};
}

Result<std::vector<BenchNetwork>> FindNetworks(const Arguments& arguments) {
  std::vector<BenchNetwork> networks;
  for (const std::string& data : arguments.networks) {
    const BenchNetwork network = NetworkOf(arguments.models, data);
    for (const std::string& path : {network.fluid, network.static_path, network.dynamic}) {
      if (!std::filesystem::exists(path)) return NotFound(path + ": no such model");
    }
    networks.push_back(network);
  }
  return networks;
}

// Every way once a round, so that a drift of the machine's speed meets all of them.
Result<CaseResult> RunCase(const BenchCase& bench_case, int rounds, Duration measure) {
  CaseResult result{bench_case, {}};
  for (int round = 0; round < rounds; ++round) {
    for (const Way way : kAllWays) {
      BRAID_ASSIGN_OR_RETURN(const Measured measured, Measure(bench_case, way, measure));
      result.rounds[way].push_back(measured);
    }
  }
  return result;
}

Status RunBench(const Arguments& arguments) {
  if (std::thread::hardware_concurrency() < 2) {
    return FailedPrecondition(
        "bench cluster pins two devices to a core each; this machine has one");
  }
  BRAID_ASSIGN_OR_RETURN(const std::vector<BenchNetwork> networks, FindNetworks(arguments));
  std::vector<BenchCase> cases = StandardCases(networks);
  if (arguments.quick) cases.resize(1);
  std::vector<CaseResult> results;
  for (const BenchCase& bench_case : cases) {
    spdlog::info("case {} of {}: {}, delay {} ms, cpu {}", results.size() + 1, cases.size(),
                 bench_case.network.name, bench_case.delay_ms, bench_case.cpu_share);
    BRAID_ASSIGN_OR_RETURN(
        CaseResult result,
        RunCase(bench_case, arguments.rounds, std::chrono::milliseconds(arguments.measure_ms)));
    results.push_back(std::move(result));
  }
  if (arguments.json) {
    Json report = {{"version", BRAID_VERSION},
                   {"rounds", arguments.rounds},
                   {"measure_ms", arguments.measure_ms},
                   {"cases", Json::array()}};
    for (const CaseResult& result : results) report["cases"].push_back(ToJson(result));
    PrintJson(report);
    return OkStatus();
  }
  PrintTable(ToTable(results), {1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15});
  return OkStatus();
}

// A sub-command of braid-bench under the same name; everything after it, --help too, is its own.
void AddSibling(CLI::App& bench, const char* name, const char* about, Work& work) {
  CLI::App* command = bench.add_subcommand(name, about);
  command->set_help_flag();
  command->prefix_command();
  command->callback([command, name, &work] {
    std::vector<std::string> arguments = command->remaining();
    arguments.insert(arguments.begin(), name);
    work = [arguments] {
      return BecomeSibling("braid-bench", arguments, "the whole program is built");
    };
  });
}

}  // namespace

void AddBenchCommand(CLI::App& program, Work& work) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* bench = program.add_subcommand("bench", "Named, repeatable measurements");
  bench->require_subcommand(1);
  AddBenchServe(*bench, work);
  AddSibling(*bench, "kernels", "Kernels beside FBGEMM and oneDNN, where they were found", work);
  AddSibling(*bench, "model", "A whole network beside ONNX Runtime, where it is given", work);
  AddSibling(*bench, "acc16", "What 16-bit sums with outliers apart would gain, at most", work);
  AddSibling(*bench, "ladder", "What each idea of the kernels gained, case by case", work);
  CLI::App* command = bench->add_subcommand(
      "cluster",
      "Images per second of one device, of replicas, and of Static, Dynamic and Fluid "
      "on two devices");
  command->add_option("--models", arguments->models, "Folder of the models")->capture_default_str();
  command->add_option("--networks", arguments->networks, "Data sets whose models are measured")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--rounds", arguments->rounds, "Times that each way is measured, in turn")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_option("--measure-ms", arguments->measure_ms, "Length of one measurement")
      ->check(CLI::Range(50, 60000))
      ->capture_default_str();
  command->add_flag("--quick", arguments->quick, "The first case only");
  command->add_flag("--json", arguments->json, "One JSON document on standard output");
  command->callback([arguments, &work] { work = [arguments] { return RunBench(*arguments); }; });
}

}  // namespace braid::cli
