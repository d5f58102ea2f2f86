// The program `braid`: reads the command line, runs one sub-command, reports how it ended.
// Exit codes: 0 done, 1 failed, 2 wrong usage.
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <exception>

#include "braid/cli/commands.h"

namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

// stdout belongs to reports, so that `--json` output can be piped.
void LogToStderr() {
  auto logger = spdlog::stderr_color_mt("braid");
  logger->set_pattern("%H:%M:%S.%e %^%l%$ %v");
  spdlog::set_default_logger(std::move(logger));
}

int Run(int argc, char** argv) {
  LogToStderr();
  CLI::App program("Deep networks on groups of small computers that keep answering.", "braid");
  program.set_version_flag("--version", "braid " BRAID_VERSION);
  program.require_subcommand(1);
  program.get_formatter()->column_width(28);
  braid::cli::Work work;
#define BRAID_ADD_COMMAND(Name) braid::cli::Add##Name##Command(program, work);
  BRAID_COMMANDS(BRAID_ADD_COMMAND)
#undef BRAID_ADD_COMMAND
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : kExitUsage;
  }
  const braid::Status status = work();
  if (status.ok()) {
    // A report that could not be written (a full disk, a closed pipe) is not a success.
    if (std::fflush(stdout) == 0) return 0;
    std::fprintf(stderr, "braid: cannot write the report\n");
    return kExitFailed;
  }
  std::fprintf(stderr, "braid: %s\n", status.ToString().c_str());
  return kExitFailed;
}

}  // namespace

int main(int argc, char** argv) {
  // The modules report errors as values; what arrives here is memory exhausted or a bug.
  try {
    return Run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "braid: %s\n", error.what());
    return kExitFailed;
  }
}
