#include "braid/bench/cold_start.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "braid/base/clock.h"

namespace braid::bench {

Result<Spread> ColdStartMs(const std::string& model, const std::string& point, int runs) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string program = (self.parent_path() / "braid").string();
  if (error || !std::filesystem::exists(program)) return NotFound(program + ": not there");
  std::vector<std::string> words = {program, "bench-first-answer", "--model", model,
                                    "--point", point};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  const SystemClock clock;
  std::vector<double> milliseconds;
  int status = 0;
  for (int run = 0; run < runs && status == 0; ++run) {
    pid_t pid = 0;
    const TimePoint start = clock.Now();
    status = posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
    if (status == 0 && waitpid(pid, &status, 0) != pid) status = -1;
    milliseconds.push_back(static_cast<double>((clock.Now() - start).count()) / 1e6);
  }
  posix_spawn_file_actions_destroy(&actions);
  if (status != 0) return Internal(program + " bench-first-answer: failed");
  return SpreadOf(std::move(milliseconds));
}

}  // namespace braid::bench
