// A program that this one starts, talks to line by line, and never leaves behind. Layer: cli.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/status.h"

namespace braid::cli {

// Owns the process: the destructor kills it (SIGKILL) and reaps it. The kernel kills it too when
// the thread that started it ends, so start children from a thread that lives as long as they do.
class ChildProcess {
 public:
  // Standard input and output are pipes; standard error is appended to the file `error_path`, or
  // shared without one. argv[0] is the program's path.
  static Result<std::unique_ptr<ChildProcess>> Start(const std::vector<std::string>& argv,
                                                     const std::string& error_path = "");
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  // Sends `line` and a newline. UNAVAILABLE when the process has closed its input.
  Status WriteLine(const std::string& line);
  // The next line of its output, without the newline. DEADLINE_EXCEEDED after `timeout`,
  // UNAVAILABLE when the output has ended.
  Result<std::string> ReadLine(Duration timeout);
  void CloseInput();
  void Signal(int signal);
  // Its exit status as from waitpid. DEADLINE_EXCEEDED while it still runs after `timeout`.
  Result<int> Wait(Duration timeout);
  // Resident memory now, in bytes; 0 once it has ended.
  int64_t ResidentBytes() const;

 private:
  ChildProcess(pid_t pid, int input, int output) : pid_(pid), input_(input), output_(output) {}

  pid_t pid_;
  int input_;   // we write
  int output_;  // we read
  bool reaped_ = false;
  int status_ = 0;
  std::string buffer_;  // read but not yet returned
};

// The path of the running program, for starting it again with another sub-command.
std::string SelfPath();

}  // namespace braid::cli
