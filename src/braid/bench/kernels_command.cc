// `braid bench kernels`: generated kernels beside the libraries that were found. Layer: bench.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "braid/bench/commands.h"
#include "braid/bench/contender.h"
#include "braid/bench/machine.h"
#include "braid/bench/report.h"
#include "braid/bench/rounds.h"

namespace braid::bench {
namespace {

struct Arguments {
  std::string kernels = "best";
  std::string input = "u7";
  std::string filter;
  int rounds = 9;
  int min_ms = 20;
  bool json = false;
};

// One library's figures in one case.
struct Figures {
  const Library* library = nullptr;
  RoundTimes times;
};

struct CaseResult {
  KernelCase shape;
  double code_us = 0;            // making Braid's kernels for the case
  std::vector<Figures> figures;  // Braid's first

  const Figures* Of(const std::string& name) const {
    for (const Figures& f : figures) {
      if (f.library->name == name) return &f;
    }
    return nullptr;
  }
  // Operations a nanosecond, by the least time of all rounds.
  std::optional<double> Gops(const std::string& name) const {
    const Figures* f = Of(name);
    if (f == nullptr) return std::nullopt;
    return shape.operations() / f->times.Best();
  }
};

Result<kernels::Path> ChoosePath(const std::string& name) {
  if (name == "best") return kernels::BestPath();
  const auto path = kernels::PathFromName(name);
  if (!path.has_value()) return InvalidArgument("--kernels " + name + ": there is no such path");
  if (!kernels::PathSupported(*path)) {
    return FailedPrecondition("--kernels " + name + ": this processor cannot run it");
  }
  return *path;
}

Result<CaseResult> RunCase(const KernelCase& shape, const std::vector<Library>& libraries,
                           kernels::Path path, ElementKind input, const RoundOptions& options) {
  const Problem problem = MakeProblem(shape, input, 1);
  // Braid may read s8; the others compute the case's unsigned twin, which costs them the same.
  const Problem unsigned_twin =
      input == ElementKind::kU7 ? problem : MakeProblem(shape, ElementKind::kU7, 1);
  CaseResult result;
  result.shape = shape;
  std::vector<std::unique_ptr<Contender>> contenders;
  std::vector<std::function<void()>> ways;
  for (const Library& library : libraries) {
    if (!library.present()) continue;
    const Problem& own = library.name == "braid" ? problem : unsigned_twin;
    auto made = library.make(own, path);
    if (!made.ok()) return made.status().WithContext(library.name + ", " + shape.name());
    contenders.push_back(std::move(made).value());
    if (library.name == "braid") {
      result.code_us = static_cast<double>(contenders.back()->code_time().count()) / 1000;
    }
    contenders.back()->Run();
    BRAID_RETURN_IF_ERROR(CheckOutput(own, *contenders.back())
                              .WithContext(library.name + ", " + shape.name()));
    ways.push_back([contender = contenders.back().get()] { contender->Run(); });
    result.figures.push_back({&library, {}});
  }
  const std::vector<RoundTimes> times = TimeInTurn(ways, SystemClock(), options);
  for (size_t i = 0; i < times.size(); ++i) result.figures[i].times = times[i];
  return result;
}

Json ToJson(const CaseResult& result, double peak_gops) {
  const KernelCase& c = result.shape;
  const auto value = [&](const char* library) -> Json {
    const std::optional<double> gops = result.Gops(library);
    return gops.has_value() ? Json(*gops) : Json(nullptr);
  };
  Json json = {{"name", c.name()},
               {"set", CaseSetName(c.set)},
               {"m", c.m},
               {"n", c.n},
               {"k", c.k},
               {"braid_gops", value("braid")},
               {"fbgemm_gops", value("fbgemm")},
               {"onednn_gops", value("onednn")},
               {"onednn_f32_gflops", value("onednn_f32")},
               {"braid_of_peak", *result.Gops("braid") / peak_gops},
               {"braid_code_us", result.code_us}};
  for (const Figures& f : result.figures) {
    json["times"][f.library->name] = {{"least_ns", f.times.Best()},
                                      {"median_ns", f.times.Median()}};
    if (f.library->name == "braid") continue;
    json["ratios"][f.library->name] =
        ToJson(SpeedRatio(result.Of("braid")->times, f.times));
  }
  return json;
}

std::vector<std::string> ToRow(const CaseResult& result, double peak_gops) {
  const double own = *result.Gops("braid");
  std::vector<std::string> row = {result.shape.name(), fmt::format("{:.1f}", own),
                                  fmt::format("{:.0f} %", 100 * own / peak_gops)};
  for (const char* name : {"fbgemm", "onednn", "onednn_f32"}) {
    const Figures* f = result.Of(name);
    if (f == nullptr) {
      row.insert(row.end(), {"-", "-"});
      continue;
    }
    const Spread ratio = SpeedRatio(result.Of("braid")->times, f->times);
    row.push_back(fmt::format("{:.1f}", *result.Gops(name)));
    row.push_back(
        fmt::format("{:.2f} [{:.2f}, {:.2f}]", ratio.median, ratio.least, ratio.greatest));
  }
  return row;
}

Json Versions(const std::vector<Library>& libraries) {
  Json json;
  for (const Library& library : libraries) {
    json[library.name] = library.present() ? Json(library.version) : Json(nullptr);
  }
  return json;
}

Status RunKernels(const Arguments& arguments) {
  BRAID_ASSIGN_OR_RETURN(const kernels::Path path, ChoosePath(arguments.kernels));
  const ElementKind input = arguments.input == "s8" ? ElementKind::kS8 : ElementKind::kU7;
  const bool avx2_only = path == kernels::Path::kAvx2;
  const std::vector<Library> libraries = {BraidLibrary(), FbgemmLibrary(avx2_only),
                                          OnednnLibrary(avx2_only), OnednnFloatLibrary(avx2_only)};
  for (const Library& library : libraries) {
    if (!library.present()) {
      spdlog::warn("{} is absent: {}", library.name, library.why_absent);
    }
  }
  BRAID_RETURN_IF_ERROR(StayOnThisCore());
  const SystemClock clock;
  Peaks peaks = MeasurePeaks(clock, std::chrono::milliseconds(100));
  const RoundOptions options{arguments.rounds, std::chrono::milliseconds(arguments.min_ms)};
  std::vector<CaseResult> results;
  for (const KernelCase& shape : AllCases()) {
    if (shape.name().find(arguments.filter) == std::string::npos) continue;
    BRAID_ASSIGN_OR_RETURN(CaseResult result, RunCase(shape, libraries, path, input, options));
    peaks.Raise(MeasurePeaks(clock, std::chrono::milliseconds(5)));
    spdlog::info("{}: {:.1f} GOPS", shape.name(), *result.Gops("braid"));
    results.push_back(std::move(result));
  }
  if (results.empty()) return InvalidArgument("--filter " + arguments.filter + ": no such case");
  const bool vnni = path == kernels::Path::kAvx512Vnni;
  const double peak = vnni ? peaks.vpdpbusd_gops : peaks.vpmaddubsw_gops;
  if (peak <= 0) return FailedPrecondition("no peak is known for this processor's path");
  if (arguments.json) {
    Json report = {{"version", BRAID_VERSION},
                   {"processor", ProcessorModel()},
                   {"kernels", kernels::PathName(path)},
                   {"input", arguments.input},
                   {"rounds", arguments.rounds},
                   {"min_ms", arguments.min_ms},
                   {"libraries", Versions(libraries)},
                   {"peak_gops", peak},
                   {"peaks",
                    {{"vpdpbusd_gops", peaks.vpdpbusd_gops},
                     {"vpmaddubsw_gops", peaks.vpmaddubsw_gops},
                     {"fma_f32_gflops", peaks.fma_f32_gflops}}},
                   {"cases", Json::array()}};
    for (const CaseResult& result : results) report["cases"].push_back(ToJson(result, peak));
    PrintJson(report);
    return OkStatus();
  }
  fmt::print("{}, path {}, input {}; peaks: vpdpbusd {:.0f} GOPS, vpmaddubsw {:.0f} GOPS, "
             "fp32 FMA {:.0f} GFLOPS\n",
             ProcessorModel(), kernels::PathName(path), arguments.input, peaks.vpdpbusd_gops,
             peaks.vpmaddubsw_gops, peaks.fma_f32_gflops);
  for (const Library& library : libraries) {
    fmt::print("{}: {}\n", library.name,
               library.present() ? library.version : "absent (" + library.why_absent + ")");
  }
  std::vector<std::vector<std::string>> rows = {{"case", "braid", "of peak", "fbgemm", "ratio",
                                                 "onednn", "ratio", "onednn f32", "ratio"}};
  for (const CaseResult& result : results) rows.push_back(ToRow(result, peak));
  PrintTable(rows);
  return OkStatus();
}

}  // namespace

void AddKernelsCommand(CLI::App& program, Work& work) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand(
      "kernels", "Products and convolutions beside FBGEMM and oneDNN, one thread, warm caches");
  command->add_option("--kernels", arguments->kernels, "Braid's path; the others follow 'avx2'")
      ->capture_default_str();
  command->add_option("--input", arguments->input, "What Braid reads; the others read u7")
      ->check(CLI::IsMember({"u7", "s8"}))
      ->capture_default_str();
  command->add_option("--filter", arguments->filter, "Cases whose name holds this");
  command->add_option("--rounds", arguments->rounds, "Times that each library has its turn")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--min-ms", arguments->min_ms, "Time of one library in one round")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "One JSON document on standard output");
  command->callback([arguments, &work] { work = [arguments] { return RunKernels(*arguments); }; });
}

}  // namespace braid::bench
