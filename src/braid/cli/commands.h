// The sub-commands of `braid`: one file NAME_command.cc and one line here for each. Layer: cli.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "braid/base/status.h"

namespace braid::cli {

// What the chosen sub-command does once the command line is read. An error is printed to stderr
// and becomes exit code 1.
using Work = std::function<Status()>;

// X(Name): Name_command.cc defines `void AddNameCommand(CLI::App& program, Work& work)`, which adds
// the sub-command with its options and sets `work` from its callback. In the order of --help.
#define BRAID_COMMANDS(X) \
  X(Demo)                 \
  X(Chaos)                \
  X(Device)               \
  X(Infer)                \
  X(Enlarge)              \
  X(Restore)              \
  X(Eval)                 \
  X(Inspect)              \
  X(Verify)               \
  X(Export)               \
  X(Quantize)             \
  X(Data)                 \
  X(Train)                \
  X(Bench)                \
  X(BenchWorker)          \
  X(BenchEcho)            \
  X(BenchFirstAnswer)

#define BRAID_DECLARE_COMMAND(Name) void Add##Name##Command(CLI::App& program, Work& work);
BRAID_COMMANDS(BRAID_DECLARE_COMMAND)
#undef BRAID_DECLARE_COMMAND

}  // namespace braid::cli
