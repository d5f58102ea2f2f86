// `braid bench acc16`: would sums of 16 bits with outliers apart (FBGEMM's other idea) pay on this
// processor? Layer: bench. Results: docs/results/kernels.md.
//
// Without vpdpbusd, four products cost vpmaddubsw, vpmaddwd and vpaddd; with 16-bit sums only
// vpmaddubsw and vpaddw, until the sums must be widened. Braid may not saturate: with weights of
// `bits` bits (|w| <= 2^(bits-1) - 1; larger ones, the outliers, apart in a sparse matrix) a pair of
// products is at most 2*127*|w|, so that many pairs fit 16 bits before they are widened.
#include <fmt/format.h>

#include <memory>

#include "braid/bench/commands.h"
#include "braid/bench/machine.h"
#include "braid/bench/peak_loops.h"
#include "braid/bench/report.h"
#include "braid/model/file.h"

namespace braid::bench {
namespace {

struct Arguments {
  std::vector<std::string> models;
  bool json = false;
};

constexpr int kLeastBits = 3, kMostBits = 8;

int LargestWeight(int bits) { return (1 << (bits - 1)) - 1; }
// Pairs of products that a 16-bit sum takes without wrapping.
int PairsBeforeWidening(int bits) { return 32767 / (2 * 127 * LargestWeight(bits)); }

double OutlierFraction(const std::vector<int8_t>& weights, int bits) {
  int64_t outliers = 0;
  for (const int8_t w : weights) outliers += w > LargestWeight(bits) || w < -LargestWeight(bits);
  return weights.empty() ? 0 : static_cast<double>(outliers) / static_cast<double>(weights.size());
}

Status RunAcc16(const Arguments& arguments) {
  std::vector<int8_t> weights;
  for (const std::string& path : arguments.models) {
    BRAID_ASSIGN_OR_RETURN(const model::ModelFile file, model::ReadModelFile(path));
    for (const model::Layer& layer : file.network.layers) {
      weights.insert(weights.end(), layer.weights.begin(), layer.weights.end());
    }
  }
  BRAID_RETURN_IF_ERROR(StayOnThisCore());
  const SystemClock clock;
  constexpr Duration kTime = std::chrono::milliseconds(100);
  const Peaks peaks = MeasurePeaks(clock, kTime);
  if (peaks.vpmaddubsw_gops <= 0) return FailedPrecondition("acc16: this processor has no AVX2");
  Json rows = Json::array();
  std::vector<std::vector<std::string>> table = {
      {"weight bits", "pairs in 16 bits", "acc16 GOPS", "to acc32", "to VNNI", "outliers"}};
  for (int bits = kLeastBits; bits <= kMostBits; ++bits) {
    const int pairs = PairsBeforeWidening(bits);
    const double gops = MeasureLoop(Acc16Loop(pairs), clock, kTime);
    const double outliers = OutlierFraction(weights, bits);
    const double to_vnni = peaks.vpdpbusd_gops > 0 ? gops / peaks.vpdpbusd_gops : 0;
    rows.push_back({{"weight_bits", bits},
                    {"pairs_before_widening", pairs},
                    {"acc16_gops", gops},
                    {"to_acc32", gops / peaks.vpmaddubsw_gops},
                    {"to_vnni", peaks.vpdpbusd_gops > 0 ? Json(to_vnni) : Json(nullptr)},
                    {"outliers", weights.empty() ? Json(nullptr) : Json(outliers)}});
    table.push_back({std::to_string(bits), std::to_string(pairs), fmt::format("{:.0f}", gops),
                     fmt::format("{:.2f}", gops / peaks.vpmaddubsw_gops),
                     fmt::format("{:.2f}", to_vnni),
                     weights.empty() ? "-" : fmt::format("{:.1f} %", 100 * outliers)});
  }
  if (arguments.json) {
    PrintJson({{"version", BRAID_VERSION},
               {"processor", ProcessorModel()},
               {"acc32_gops", peaks.vpmaddubsw_gops},
               {"vnni_gops", peaks.vpdpbusd_gops},
               {"models", arguments.models},
               {"rows", rows}});
    return OkStatus();
  }
  fmt::print("{}; in registers: acc32 (vpmaddubsw, vpmaddwd, vpaddd) {:.0f} GOPS, vpdpbusd {:.0f}\n",
             ProcessorModel(), peaks.vpmaddubsw_gops, peaks.vpdpbusd_gops);
  PrintTable(table);
  return OkStatus();
}

}  // namespace

void AddAcc16Command(CLI::App& program, Work& work) {
  const auto a = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand(
      "acc16", "What 16-bit sums with outliers apart would gain, at most");
  command->add_option("--model", a->models, "Files whose weights are counted")->delimiter(',');
  command->add_flag("--json", a->json, "One JSON document on standard output");
  command->callback([a, &work] { work = [a] { return RunAcc16(*a); }; });
}

}  // namespace braid::bench
