// The program braid-train: training needs libtorch, which the device program must not load; `braid
// train` starts this one. Layer: training.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <exception>

#include "braid/training/commands.h"

namespace {

std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler writes it");

void RequestStop(int) { stop_requested = true; }

// A small network's steps allocate and free the same few megabytes over and over: keeping them
// instead of returning them to the system is worth a factor of 1.5.
void KeepFreedMemory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 2'000'000'000);
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

}  // namespace

int main(int argc, char** argv) {
  KeepFreedMemory();
  CLI::App program("Trains braided networks and exports them as .braid files.", "braid-train");
  program.set_version_flag("--version", "braid-train " BRAID_VERSION);
  program.require_subcommand(1);
  braid::training::Work work;
  braid::training::AddTrainCommand(program, work, stop_requested);
  braid::training::AddExportCommand(program, work);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = program.exit(error);
    return code == 0 ? 0 : 2;
  }
  std::signal(SIGINT, RequestStop);
  std::signal(SIGTERM, RequestStop);
  try {
    const braid::Status status = work();
    if (status.ok()) return 0;
    std::fprintf(stderr, "braid-train: %s\n", status.ToString().c_str());
  } catch (const std::exception& error) {  // libtorch reports its errors so
    std::fprintf(stderr, "braid-train: %s\n", error.what());
  }
  return 1;
}
