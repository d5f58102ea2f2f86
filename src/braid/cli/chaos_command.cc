// braid chaos: a group of device processes under a steady load, and one fault after another. Every
// answer is checked. Layer: cli. The run is chaos/chaos_run.h.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>

#include "braid/base/file.h"
#include "braid/cli/chaos/chaos_run.h"
#include "braid/cli/chaos/report.h"
#include "braid/cli/commands.h"
#include "braid/cli/data_options.h"
#include "braid/cli/demo_setup.h"
#include "braid/cli/report.h"

namespace braid::cli {
namespace {

// Below what the least accurate device reaches alone, for the images chosen.
constexpr double kAccuracyMargin = 0.01;

struct Options {
  std::string model;
  DataOptions data;
  std::vector<std::string> scenarios;
  double seconds = 300;
  double deadline_ms = 1000;
  std::string report;  // path
  double accuracy_floor = -1;
  ChaosOptions chaos;
  bool json = false;
};

// The second version of the model, in a file that goes with this.
class SecondVersion {
 public:
  static Result<SecondVersion> Make(const model::Network& network, uint64_t seed) {
    SecondVersion second;
    second.path_ = (std::filesystem::temp_directory_path() /
                    fmt::format("braid-chaos-next-{}.braid", ::getpid()))
                       .string();
    BRAID_RETURN_IF_ERROR(model::WriteModelFile(NextVersion(network, seed), second.path_));
    BRAID_ASSIGN_OR_RETURN(second.file_, model::ReadModelFile(second.path_));
    return second;
  }
  SecondVersion(SecondVersion&& other) noexcept
      : path_(std::exchange(other.path_, "")), file_(std::move(other.file_)) {}
  ~SecondVersion() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  const std::string& path() const { return path_; }
  const model::ModelFile& file() const { return file_; }

 private:
  SecondVersion() = default;
  std::string path_;
  model::ModelFile file_;
};

// The best that the least accurate device can do alone: whatever happens, answers are as good.
double AccuracyFloor(const model::Network& network, const std::vector<GroupSet>& shares) {
  double floor = 1;
  for (const GroupSet share : shares) {
    const int point = LocalPoint(network, share);
    if (point < 0) return 0;
    floor = std::min(floor, network.points[static_cast<size_t>(point)].accuracy);
  }
  return std::max(0.0, floor - kAccuracyMargin);
}

Status RunChaos(Options options) {
  ChaosOptions& chaos = options.chaos;
  BRAID_ASSIGN_OR_RETURN(chaos.scenarios, ReadScenarios(options.scenarios));
  chaos.length =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.seconds));
  chaos.load.deadline = std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::milli>(options.deadline_ms));
  BRAID_ASSIGN_OR_RETURN(const DemoSetup setup, ChooseDemoSetup(options.model, options.data));
  if (setup.model.network.groups < chaos.devices) {
    return InvalidArgument(fmt::format("{}: has {} channel groups, {} devices need one each",
                                       setup.model_path, setup.model.network.groups,
                                       chaos.devices));
  }
  BRAID_ASSIGN_OR_RETURN(const SecondVersion second,
                         SecondVersion::Make(setup.model.network, chaos.seed));
  const auto say = [](const std::string& line) { spdlog::info("{}", line); };
  if (!setup.note.empty()) say(setup.note);
  ChaosRun run(chaos, {{&setup.model, setup.model_path}, {&second.file(), second.path()}},
               setup.dataset, say);
  const double floor = options.accuracy_floor >= 0
                           ? options.accuracy_floor
                           : AccuracyFloor(setup.model.network, run.shares());
  BRAID_ASSIGN_OR_RETURN(const ChaosOutcome outcome, run.Run());
  Json report = {{"version", BRAID_VERSION}};
  DescribeData(setup.dataset, report);
  report["model"] = std::filesystem::path(setup.model_path).filename().string();
  report["model_digests"] = {setup.model.digest, second.file().digest};
  report["devices"] = Json::array();
  for (size_t i = 0; i < run.shares().size(); ++i) {
    report["devices"].push_back({{"name", fmt::format("device-{}", static_cast<char>('a' + i))},
                                 {"groups", run.shares()[i].mask()}});
  }
  report.update(DescribeChaos(chaos, outcome, floor));
  if (!options.report.empty()) {
    const std::string text = report.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
    BRAID_RETURN_IF_ERROR(WriteFileAtomically(
        options.report, std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size())));
  }
  if (options.json) {
    PrintJson(report);
  } else {
    PrintChaos(report);
  }
  std::fflush(stdout);
  return ChaosVerdict(report);
}

}  // namespace

void AddChaosCommand(CLI::App& program, Work& work) {
  auto options = std::make_shared<Options>();
  options->data.limit = 1000;  // enough to see accuracies apart
  CLI::App* chaos = program.add_subcommand(
      "chaos", "Faults of all kinds in a group under load; every answer is checked");
  chaos->add_option("--seconds,--duration", options->seconds, "How long faults follow each other")
      ->check(CLI::Range(1.0, 1e6))
      ->capture_default_str()
      ->type_name("S");
  chaos->add_option("--seed", options->chaos.seed, "Gives the same faults in the same order")
      ->capture_default_str()
      ->type_name("N");
  chaos->add_option("--scenario", options->scenarios,
                    "Files, or names of those in scenarios/; else all of them")
      ->type_name("FILE");
  chaos->add_option("--report", options->report, "Write the JSON report there, too")
      ->type_name("FILE");
  chaos->add_option("--devices", options->chaos.devices, "Of the group")
      ->check(CLI::Range(2, 8))
      ->capture_default_str()
      ->type_name("N");
  chaos->add_flag("--namespaces", options->chaos.namespaces,
                  "Real links between network namespaces; needs root and iproute2");
  chaos->add_option("--rate", options->chaos.load.rate, "Requests a second")
      ->check(CLI::Range(1.0, 1e5))
      ->capture_default_str()
      ->type_name("R");
  chaos->add_option("--deadline-ms", options->deadline_ms, "Later answers are failures")
      ->check(CLI::Range(1.0, 60000.0))
      ->capture_default_str()
      ->type_name("MS");
  chaos->add_option("--accuracy-floor", options->accuracy_floor,
                    "Least fraction right; else by the model's card")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("F");
  chaos->add_option("--model", options->model, "A fluid model; else the one for the data")
      ->type_name("FILE");
  AddDataOptions(*chaos, options->data, false);
  chaos->add_option("--kernels", options->chaos.kernels, "best, scalar, avx2 or avx512vnni")
      ->capture_default_str()
      ->type_name("PATH");
  chaos->add_flag("--json", options->json, "Report as one JSON document");
  chaos->callback([options, &work] { work = [options] { return RunChaos(*options); }; });
}

}  // namespace braid::cli
