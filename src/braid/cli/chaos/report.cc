#include "braid/cli/chaos/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "braid/cli/bench_serve/load.h"

namespace braid::cli {
namespace {

std::optional<double> GoalOf(const ChaosOptions& options, const std::string& fault) {
  for (const Scenario& scenario : options.scenarios) {
    for (const FaultSpec& spec : scenario.faults) {
      if (ReportName(scenario, spec.kind) == fault && scenario.recovery_goal_ms) {
        return scenario.recovery_goal_ms;
      }
    }
  }
  return std::nullopt;
}

// The 99th percentile of fewer than a hundred is the worst: rounded up, never in between.
double Percentile99(const std::vector<double>& sorted) {
  return sorted[std::min(sorted.size() - 1, sorted.size() * 99 / 100)];
}

Json Spread(std::vector<double> values) {
  std::ranges::sort(values);
  return {{"times", values.size()},
          {"median_ms", Quantile(values, 0.5)},
          {"p99_ms", Percentile99(values)},
          {"worst_ms", values.back()}};
}

}  // namespace

Json DescribeChaos(const ChaosOptions& options, const ChaosOutcome& outcome,
                   double accuracy_floor) {
  const JudgeTotals& totals = outcome.totals;
  Json report = {{"seed", options.seed},
                 {"seconds", outcome.seconds},
                 {"rate", options.load.rate},
                 {"deadline_ms",
                  std::chrono::duration<double, std::milli>(options.load.deadline).count()},
                 {"scenarios", Json::array()},
                 {"requests", outcome.sent},
                 {"failed", totals.failed + outcome.lost},
                 {"lost", outcome.lost},
                 {"wrong", totals.wrong},
                 {"violations", outcome.violations},
                 {"examples", totals.examples}};
  for (const Scenario& scenario : options.scenarios) report["scenarios"].push_back(scenario.name);
  report["accuracy"] = totals.images > 0
                           ? Json(static_cast<double>(totals.correct) /
                                  static_cast<double>(totals.images))
                           : Json();
  report["accuracy_floor"] = accuracy_floor;
  report["latency"] = {{"p50_ms", totals.latency.Quantile(0.5)},
                       {"p99_ms", totals.latency.Quantile(0.99)},
                       {"p999_ms", totals.latency.Quantile(0.999)},
                       {"worst_ms", totals.latency.WorstMs()}};
  report["recovery"] = Json::array();
  int64_t faults = 0;
  for (const auto& [fault, times] : outcome.faults) faults += times;
  report["faults"] = faults;
  for (const auto& [fault, waits] : totals.waits_ms) {
    Json row = {{"fault", fault}};
    row.update(Spread(waits));
    const std::optional<double> goal = GoalOf(options, fault);
    row["goal_ms"] = goal ? Json(*goal) : Json();
    report["recovery"].push_back(std::move(row));
  }
  report["whole_again"] = Json::array();
  for (const auto& [scenario, times] : outcome.whole_again_ms) {
    Json row = {{"scenario", scenario}};
    row.update(Spread(times));
    report["whole_again"].push_back(std::move(row));
  }
  report["skipped"] = outcome.skipped;
  report["failovers"] = totals.failovers;
  report["retried"] = totals.retried;
  report["operating_points"] = totals.points;
  report["model_versions"] = outcome.versions;
  report["memory_deaths"] = outcome.memory_deaths;
  report["resident_bytes"] = outcome.resident_bytes;
  report["resident_bytes_most"] = outcome.resident_bytes_most;
  report["full_disk"] = outcome.disk;
  report["sender_longest_late_ms"] =
      std::chrono::duration<double, std::milli>(outcome.longest_late).count();
  return report;
}

void PrintChaos(const Json& report) {
  const auto ms = [](const Json& value) {
    return value.is_null() ? std::string("-") : fmt::format("{:.1f}", value.get<double>());
  };
  std::vector<std::vector<std::string>> rows = {
      {"longest wait of a request after", "times", "median ms", "p99 ms", "worst ms", "goal ms"}};
  for (const Json& row : report["recovery"]) {
    rows.push_back({row["fault"], row["times"].dump(), ms(row["median_ms"]), ms(row["p99_ms"]),
                    ms(row["worst_ms"]), ms(row["goal_ms"])});
  }
  fmt::print("\n");
  PrintTable(rows, {1, 2, 3, 4, 5});
  rows = {{"all devices at every door again after", "times", "median ms", "p99 ms", "worst ms"}};
  for (const Json& row : report["whole_again"]) {
    rows.push_back({row["scenario"], row["times"].dump(), ms(row["median_ms"]), ms(row["p99_ms"]),
                    ms(row["worst_ms"])});
  }
  fmt::print("\n");
  PrintTable(rows, {1, 2, 3, 4});
  for (const auto& [fault, reason] : report["skipped"].items()) {
    fmt::print("skipped: {}: {}\n", fault, reason.get<std::string>());
  }
  const Json& latency = report["latency"];
  fmt::print("\nlatency: median {} ms, p99 {} ms, p99.9 {} ms, worst {} ms; the sender was late by {} ms at most\n",
             ms(latency["p50_ms"]), ms(latency["p99_ms"]), ms(latency["p999_ms"]),
             ms(latency["worst_ms"]), ms(report["sender_longest_late_ms"]));
  fmt::print("accuracy {} (floor {:.4f}); at most {:.1f} MB resident in a device\n",
             report["accuracy"].is_null() ? "-"
                                          : fmt::format("{:.4f}", report["accuracy"].get<double>()),
             report["accuracy_floor"].get<double>(),
             report["resident_bytes_most"].get<double>() / 1e6);
  for (const Json& example : report["examples"]) fmt::print("{}\n", example.get<std::string>());
  fmt::print("seed {}: {} faults in {:.0f} s; {} requests, {} failed ({} of them lost), {} wrong\n",
             report["seed"].dump(), report["faults"].dump(), report["seconds"].get<double>(),
             report["requests"].dump(), report["failed"].dump(), report["lost"].dump(),
             report["wrong"].dump());
}

Status ChaosVerdict(const Json& report) {
  if (report["wrong"].get<int64_t>() > 0) {
    return DataLoss(report["wrong"].dump() +
                    " answers are not their operating point's: this is a bug");
  }
  if (report["failed"].get<int64_t>() > 0) {
    return Internal(report["failed"].dump() + " requests failed");
  }
  if (!report["violations"].empty()) {
    return Internal(report["violations"].front().get<std::string>());
  }
  if (report["accuracy"].is_null()) return Unavailable("no request was answered");
  if (report["accuracy"].get<double>() < report["accuracy_floor"].get<double>()) {
    return Internal(fmt::format("accuracy {:.4f} is below the floor",
                                report["accuracy"].get<double>()));
  }
  return OkStatus();
}

}  // namespace braid::cli
