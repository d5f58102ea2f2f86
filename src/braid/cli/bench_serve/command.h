// `braid bench serve`, as a part of `braid bench`. Layer: cli.
#pragma once

#include "braid/cli/commands.h"

namespace braid::cli {

void AddBenchServe(CLI::App& bench, Work& work);

}  // namespace braid::cli
