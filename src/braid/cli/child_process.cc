#include "braid/cli/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

namespace braid::cli {
namespace {

int MillisecondsUntil(TimePoint deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  return left.count() < 0 ? 0 : static_cast<int>(left.count()) + 1;
}

void CloseIfOpen(int* fd) {
  if (*fd >= 0) ::close(*fd);
  *fd = -1;
}

}  // namespace

Result<std::unique_ptr<ChildProcess>> ChildProcess::Start(const std::vector<std::string>& argv,
                                                          const std::string& error_path) {
  BRAID_CHECK(!argv.empty());
  int errors = -1;
  if (!error_path.empty()) {
    errors = ::open(error_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (errors < 0) return Internal(error_path + ": cannot open: " + std::strerror(errno));
  }
  int to_child[2], from_child[2];
  if (::pipe2(to_child, O_CLOEXEC) != 0) {
    const Status status = Internal(std::string("cannot make a pipe: ") + std::strerror(errno));
    CloseIfOpen(&errors);
    return status;
  }
  if (::pipe2(from_child, O_CLOEXEC) != 0) {
    const Status status = Internal(std::string("cannot make a pipe: ") + std::strerror(errno));
    ::close(to_child[0]);
    ::close(to_child[1]);
    CloseIfOpen(&errors);
    return status;
  }
  // Everything the child needs is made before fork: only async-signal-safe calls come after it.
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);  // the parent died before prctl
    ::dup2(to_child[0], STDIN_FILENO);
    ::dup2(from_child[1], STDOUT_FILENO);
    if (errors >= 0) ::dup2(errors, STDERR_FILENO);
    // Asio's sockets are inherited: a copy in here would keep a connection open that its owner has
    // closed, and the other side would wait for an end that never comes.
    ::close_range(STDERR_FILENO + 1, ~0U, 0);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(to_child[0]);
  ::close(from_child[1]);
  CloseIfOpen(&errors);
  if (pid < 0) {
    ::close(to_child[1]);
    ::close(from_child[0]);
    return Internal(argv[0] + ": cannot start: " + std::strerror(errno));
  }
  return std::unique_ptr<ChildProcess>(new ChildProcess(pid, to_child[1], from_child[0]));
}

ChildProcess::~ChildProcess() {
  if (!reaped_) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status_, 0);
  }
  CloseIfOpen(&input_);
  CloseIfOpen(&output_);
}

Status ChildProcess::WriteLine(const std::string& line) {
  const std::string bytes = line + "\n";
  // A child that is gone must be an error here, not a SIGPIPE that ends this program.
  sigset_t pipe_signal, before;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  const ssize_t put = ::write(input_, bytes.data(), bytes.size());
  const int reason = errno;
  if (put < 0 && reason == EPIPE) {
    const timespec now{};
    ::sigtimedwait(&pipe_signal, nullptr, &now);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (put != static_cast<ssize_t>(bytes.size())) {
    return Unavailable("process " + std::to_string(pid_) + ": " + std::strerror(reason));
  }
  return OkStatus();
}

Result<std::string> ChildProcess::ReadLine(Duration timeout) {
  const TimePoint deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    if (const size_t end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    pollfd waiting{output_, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, MillisecondsUntil(deadline));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0)
      return DeadlineExceeded("process " + std::to_string(pid_) + ": no line in time");
    char chunk[4096];
    const ssize_t got = ::read(output_, chunk, sizeof(chunk));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Unavailable("process " + std::to_string(pid_) + ": closed its output");
    buffer_.append(chunk, static_cast<size_t>(got));
  }
}

void ChildProcess::CloseInput() { CloseIfOpen(&input_); }

void ChildProcess::Signal(int signal) {
  if (!reaped_) ::kill(pid_, signal);
}

Result<int> ChildProcess::Wait(Duration timeout) {
  const TimePoint deadline = std::chrono::steady_clock::now() + timeout;
  while (!reaped_) {
    const pid_t ended = ::waitpid(pid_, &status_, WNOHANG);
    if (ended == pid_) {
      reaped_ = true;
      break;
    }
    if (ended < 0 && errno != EINTR)
      return Internal(std::string("waitpid: ") + std::strerror(errno));
    if (std::chrono::steady_clock::now() >= deadline) {
      return DeadlineExceeded("process " + std::to_string(pid_) + " still runs");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return status_;
}

int64_t ChildProcess::ResidentBytes() const {
  if (reaped_) return 0;
  std::ifstream statm("/proc/" + std::to_string(pid_) + "/statm");
  int64_t total_pages = 0, resident_pages = 0;
  if (!(statm >> total_pages >> resident_pages)) return 0;
  return resident_pages * ::sysconf(_SC_PAGESIZE);
}

std::string SelfPath() {
  // Read once: in a chroot, a process that has since left for another mount namespace is told the
  // path as the machine outside sees it.
  static const std::string path = [] {
    std::error_code error;
    const auto link = std::filesystem::read_symlink("/proc/self/exe", error);
    return error ? std::string() : link.string();
  }();
  return path;
}

}  // namespace braid::cli
