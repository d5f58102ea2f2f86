// The sub-commands of braid-train. Layer: training.
#pragma once

#include <CLI/CLI.hpp>
#include <atomic>
#include <functional>

#include "braid/base/status.h"

namespace braid::training {

// What the parsed command line asks for; empty until a sub-command was given.
using Work = std::function<Status()>;

// `stop` becomes true on SIGINT or SIGTERM and must outlive the work.
void AddTrainCommand(CLI::App& program, Work& work, const std::atomic<bool>& stop);
void AddExportCommand(CLI::App& program, Work& work);

}  // namespace braid::training
