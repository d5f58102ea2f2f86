// The program `braid-bench`, which `braid bench kernels` and `braid bench model` become: it links
// the libraries that Braid is compared with, so that `braid` itself need not.
// Exit codes: 0 done, 1 failed, 2 wrong usage.
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "braid/bench/commands.h"

namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

// Libraries on OpenMP read their number of threads while they are loaded, before main: so start
// again with it set. One thread: comparisons give each library the same core.
void HoldOpenMpToOneThread(char** argv) {
  if (std::getenv("OMP_NUM_THREADS") != nullptr) return;
  ::setenv("OMP_NUM_THREADS", "1", 1);
  ::execv("/proc/self/exe", argv);
  std::fprintf(stderr, "braid-bench: cannot start again with OMP_NUM_THREADS=1\n");
  std::exit(kExitFailed);
}

// stdout belongs to reports, so that `--json` output can be piped.
void LogToStderr() {
  auto logger = spdlog::stderr_color_mt("braid");
  logger->set_pattern("%H:%M:%S.%e %^%l%$ %v");
  spdlog::set_default_logger(std::move(logger));
}

int Run(int argc, char** argv) {
  LogToStderr();
  CLI::App program("Braid's kernels and networks beside other libraries.", "braid bench");
  program.require_subcommand(1);
  program.get_formatter()->column_width(28);
  braid::bench::Work work;
  braid::bench::AddKernelsCommand(program, work);
  braid::bench::AddModelCommand(program, work);
  braid::bench::AddAcc16Command(program, work);
  braid::bench::AddLadderCommand(program, work);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : kExitUsage;
  }
  const braid::Status status = work();
  if (status.ok() && std::fflush(stdout) == 0) return 0;
  std::fprintf(stderr, "braid bench: %s\n",
               status.ok() ? "cannot write the report" : status.ToString().c_str());
  return kExitFailed;
}

}  // namespace

int main(int argc, char** argv) {
  HoldOpenMpToOneThread(argv);
  // The modules report errors as values; what arrives here is memory exhausted or a bug.
  try {
    return Run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "braid bench: %s\n", error.what());
    return kExitFailed;
  }
}
