// The sub-commands of `braid-bench`. Layer: bench.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "braid/base/status.h"

namespace braid::bench {

// What the chosen sub-command does once the command line is read.
using Work = std::function<Status()>;

void AddKernelsCommand(CLI::App& program, Work& work);
void AddModelCommand(CLI::App& program, Work& work);
void AddAcc16Command(CLI::App& program, Work& work);
void AddLadderCommand(CLI::App& program, Work& work);

}  // namespace braid::bench
