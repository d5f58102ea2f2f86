#include "braid/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace braid {
namespace {

std::string SystemReason() { return std::strerror(errno); }

// Closes a descriptor on every way out.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

Result<std::vector<uint8_t>> ReadFile(const std::string& path, uint64_t max_bytes) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno == ENOENT) return NotFound(path + ": no such file");
    return Internal(path + ": cannot open: " + SystemReason());
  }
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return Internal(path + ": cannot stat: " + SystemReason());
  if (S_ISDIR(info.st_mode)) return InvalidArgument(path + ": is a directory");
  if (static_cast<uint64_t>(info.st_size) > max_bytes) {
    return ResourceExhausted(path + ": " + std::to_string(info.st_size) +
                             " bytes, more than the limit of " + std::to_string(max_bytes));
  }
  std::vector<uint8_t> bytes(static_cast<size_t>(info.st_size));
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Internal(path + ": cannot read: " + SystemReason());
    if (got == 0) return DataLoss(path + ": shrank while it was read");
    done += static_cast<size_t>(got);
  }
  return bytes;
}

Status WriteFileAtomically(const std::string& path, std::span<const uint8_t> bytes) {
  const std::string temporary = path + ".tmp." + std::to_string(::getpid());
  const auto fail = [&](const char* what) {
    const Status status = Internal(path + ": cannot " + what + ": " + SystemReason());
    ::unlink(temporary.c_str());
    return status;
  };
  {
    const Descriptor file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (file.get() < 0) return fail("create");
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t put = ::write(file.get(), bytes.data() + done, bytes.size() - done);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return fail("write");
      done += static_cast<size_t>(put);
    }
    if (::fsync(file.get()) != 0) return fail("sync");
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail("rename");
  return OkStatus();
}

}  // namespace braid
