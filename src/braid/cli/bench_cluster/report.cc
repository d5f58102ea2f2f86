#include "braid/cli/bench_cluster/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace braid::cli {
namespace {

struct Spread {
  double median = 0, least = 0, greatest = 0;
};

Spread SpreadOf(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

std::vector<double> Values(const CaseResult& result, Way way,
                           const std::function<double(const Measured&)>& field) {
  std::vector<double> values;
  if (const auto found = result.rounds.find(way); found != result.rounds.end()) {
    for (const Measured& measured : found->second) values.push_back(field(measured));
  }
  return values;
}

Spread Ips(const CaseResult& result, Way way) {
  return SpreadOf(Values(result, way, [](const Measured& m) { return m.ips; }));
}

// Images per second of `way` over those of `base`, round by round.
Spread Ratio(const CaseResult& result, Way way, Way base) {
  const auto ips = [](const Measured& m) { return m.ips; };
  const std::vector<double> above = Values(result, way, ips), below = Values(result, base, ips);
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(above.size(), below.size()); ++i) {
    if (below[i] > 0) ratios.push_back(above[i] / below[i]);
  }
  return SpreadOf(ratios);
}

Json ToJson(const Spread& spread) {
  return {{"median", spread.median}, {"min", spread.least}, {"max", spread.greatest}};
}

}  // namespace

Json ToJson(const CaseResult& result) {
  const BenchCase& c = result.bench_case;
  Json json = {{"network", c.network.name},
               {"delay_ms", c.delay_ms},
               {"rate_mbit", c.rate_mbit > 0 ? Json(c.rate_mbit) : Json(nullptr)},
               {"cpu_share", c.cpu_share},
               {"cpu_share_b", c.cpu_share_b},
               {"kernels", c.kernels.empty() ? "best" : c.kernels},
               {"in_flight", c.in_flight},
               {"sources", c.one_source ? 1 : 2},
               {"images_per_request", c.images}};
  for (const Way way : kAllWays) {
    json[std::string(WayName(way)) + "_ips"] =
        result.rounds.contains(way) ? Json(Ips(result, way).median) : Json(nullptr);
  }
  Json details;
  for (const auto& [way, rounds] : result.rounds) {
    details[WayName(way)] = {
        {"ips", ToJson(Ips(result, way))},
        {"p50_us",
         SpreadOf(Values(result, way, [](const Measured& m) { return m.p50_us; })).median},
        {"p99_us",
         SpreadOf(Values(result, way, [](const Measured& m) { return m.p99_us; })).median},
        {"resident_bytes", rounds.empty() ? 0 : rounds.back().resident_bytes}};
  }
  json["ways"] = std::move(details);
  json["ratios"] = {
      {"fluid_ht_to_static", ToJson(Ratio(result, Way::kFluidHt, Way::kStatic))},
      {"fluid_ht_to_dynamic", ToJson(Ratio(result, Way::kFluidHt, Way::kDynamic))},
      {"fluid_ha_to_static", ToJson(Ratio(result, Way::kFluidHa, Way::kStatic))},
      {"fluid_sum_to_fluid_ha", ToJson(Ratio(result, Way::kFluidSum, Way::kFluidHa))},
      {"fluid_ht_to_replicated", ToJson(Ratio(result, Way::kFluidHt, Way::kReplicated))},
      {"fluid_ha_to_single", ToJson(Ratio(result, Way::kFluidHa, Way::kSingle))}};
  return json;
}

std::vector<std::vector<std::string>> ToTable(const std::vector<CaseResult>& results) {
  std::vector<std::vector<std::string>> rows = {
      {"network", "delay ms", "Mbit/s", "cpu", "kernels", "open", "single", "replicated", "static",
       "dynamic", "fluid HA", "fluid sum", "fluid HT", "HT/static", "HT/dynamic", "HA/static"}};
  for (const CaseResult& result : results) {
    const BenchCase& c = result.bench_case;
    const auto ips = [&result](Way way) { return fmt::format("{:.0f}", Ips(result, way).median); };
    const auto ratio = [&result](Way way, Way base) {
      return fmt::format("{:.2f}", Ratio(result, way, base).median);
    };
    rows.push_back(
        {c.network.name, fmt::format("{:g}", c.delay_ms),
         c.rate_mbit > 0 ? fmt::format("{:g}", c.rate_mbit) : "-",
         c.cpu_share == c.cpu_share_b ? fmt::format("{:g}", c.cpu_share)
                                      : fmt::format("{:g}, {:g}", c.cpu_share, c.cpu_share_b),
         c.kernels.empty() ? "best" : c.kernels,
         std::to_string(c.in_flight) + (c.one_source ? ", one source" : ""), ips(Way::kSingle),
         ips(Way::kReplicated), ips(Way::kStatic), ips(Way::kDynamic), ips(Way::kFluidHa),
         ips(Way::kFluidSum), ips(Way::kFluidHt), ratio(Way::kFluidHt, Way::kStatic),
         ratio(Way::kFluidHt, Way::kDynamic), ratio(Way::kFluidHa, Way::kStatic)});
  }
  return rows;
}

}  // namespace braid::cli
