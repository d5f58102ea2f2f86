// What a chaos run reports: one JSON document, a table, a verdict. Layer: cli.
#pragma once

#include "braid/base/status.h"
#include "braid/cli/chaos/chaos_run.h"
#include "braid/cli/report.h"

namespace braid::cli {

// The keys of docs/cli.md, "braid chaos". `accuracy_floor`: the least share of images to be
// classified right.
Json DescribeChaos(const ChaosOptions& options, const ChaosOutcome& outcome,
                   double accuracy_floor);
void PrintChaos(const Json& report);
// Why the group has not stood the run; OK when it has. `report` as DescribeChaos made it.
Status ChaosVerdict(const Json& report);

}  // namespace braid::cli
