// The benchmark's results over several rounds, as JSON and as a table. Layer: cli.
#pragma once

#include <map>
#include <vector>

#include "braid/cli/bench_cluster/cases.h"
#include "braid/cli/bench_cluster/measure.h"
#include "braid/cli/report.h"

namespace braid::cli {

// One case: for each way its measurement in every round (the ways were run in turn).
struct CaseResult {
  BenchCase bench_case;
  std::map<Way, std::vector<Measured>> rounds;
};

// Medians over the rounds, the least and greatest, and the ratios round by round.
Json ToJson(const CaseResult& result);

// One heading row and one row a case, with the ratios that the paper publishes.
std::vector<std::vector<std::string>> ToTable(const std::vector<CaseResult>& results);

}  // namespace braid::cli
