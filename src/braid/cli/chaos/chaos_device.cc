#include "braid/cli/chaos/chaos_device.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace braid::cli {
namespace {

namespace fs = std::filesystem;

// Generous: a start that takes longer is a device that does not start.
constexpr Duration kStartTimeout = std::chrono::seconds(30);
constexpr Duration kStopTimeout = std::chrono::seconds(10);
// Enough for the log between two looks at it.
constexpr int64_t kDiskBytes = 4 << 20;
constexpr int64_t kLongLogBytes = 1 << 20;

Status SystemError(const std::string& what) { return Internal(what + ": " + std::strerror(errno)); }

}  // namespace

Result<std::unique_ptr<ChaosDevice>> ChaosDevice::Create(ChaosDeviceOptions options) {
  std::unique_ptr<ChaosDevice> device(new ChaosDevice(std::move(options)));
  const std::string& folder = device->options_.folder;
  device->disk_ = folder + "/disk";
  device->log_ = device->disk_ + "/log";
  device->clock_ = folder + "/clock_offset_ns";
  std::error_code error;
  fs::create_directories(device->disk_, error);
  if (error) return Internal(device->disk_ + ": " + error.message());
  if (device->options_.small_disk) {
    const std::string size = fmt::format("size={}", kDiskBytes);
    if (::mount("braid-chaos", device->disk_.c_str(), "tmpfs", 0, size.c_str()) != 0) {
      return SystemError(device->disk_ + ": cannot mount");
    }
    device->mounted_ = true;
  }
  DeviceProcessOptions& process = device->options_.process;
  process.repository = folder + "/repository";
  process.error_path = device->log_;
  if (!device->options_.clock_library.empty()) {
    BRAID_RETURN_IF_ERROR(device->JumpClock({}));
    process.wrapper.insert(process.wrapper.end(),
                           {"/usr/bin/env", "LD_PRELOAD=" + device->options_.clock_library,
                            "BRAID_CLOCK_OFFSET_FILE=" + device->clock_});
  }
  return device;
}

ChaosDevice::~ChaosDevice() {
  process_.reset();
  if (mounted_) ::umount2(disk_.c_str(), MNT_DETACH);
}

Status ChaosDevice::Start(const std::string& model, int version) {
  const std::string& repository = options_.process.repository;
  const std::string folder = fmt::format("{}/{}/{}", repository, options_.model_name, version);
  std::error_code error;
  fs::remove_all(repository, error);
  fs::create_directories(folder, error);
  fs::copy_file(model, folder + "/model.braid", error);
  if (error) return Internal(folder + ": " + error.message());
  BRAID_ASSIGN_OR_RETURN(process_, DeviceProcess::Start(options_.process, kStartTimeout));
  return OkStatus();
}

Status ChaosDevice::Stop() {
  process_->Signal(SIGTERM);
  const Result<int> status = process_->Wait(kStopTimeout);
  process_.reset();
  if (!status.ok()) return status.status().WithContext(name() + " after SIGTERM");
  if (!WIFEXITED(*status) || WEXITSTATUS(*status) != 0) {
    return Internal(fmt::format("{} ended with status {} after SIGTERM", name(), *status));
  }
  return OkStatus();
}

void ChaosDevice::Kill() { process_.reset(); }
void ChaosDevice::Freeze() { process_->Signal(SIGSTOP); }
void ChaosDevice::Thaw() { process_->Signal(SIGCONT); }

bool ChaosDevice::Alive() {
  if (process_ != nullptr && process_->Wait(Duration{}).ok()) process_.reset();
  return process_ != nullptr;
}

Status ChaosDevice::JumpClock(Duration jump) {
  if (options_.clock_library.empty()) {
    return Unimplemented("the library that sets a process's clock is not beside this program");
  }
  // In place: the library has the file in its memory.
  std::fstream file(clock_, std::ios::binary | std::ios::in | std::ios::out);
  if (!file) file.open(clock_, std::ios::binary | std::ios::out);
  const int64_t offset = jump.count();
  file.write(reinterpret_cast<const char*>(&offset), sizeof(offset));
  file.flush();
  return file ? OkStatus() : Internal(clock_ + ": cannot write");
}

Status ChaosDevice::FillDisk() {
  if (!mounted_) return SetLimit(RLIMIT_FSIZE, static_cast<uint64_t>(LogBytes()));
  const std::string ballast = disk_ + "/ballast";
  const int fd = ::open(ballast.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return SystemError(ballast);
  const std::string block(4096, '\0');
  size_t size = block.size();
  while (size > 0) {  // to the last byte
    const ssize_t put = ::write(fd, block.data(), size);
    if (put <= 0) size /= 2;
  }
  const bool full = errno == ENOSPC;
  ::close(fd);
  return full ? OkStatus() : SystemError(ballast);
}

Status ChaosDevice::FreeDisk() {
  if (!mounted_) return SetLimit(RLIMIT_FSIZE, RLIM_INFINITY);
  const std::string ballast = disk_ + "/ballast";
  return ::unlink(ballast.c_str()) == 0 ? OkStatus() : SystemError(ballast);
}

Status ChaosDevice::LimitMemory(int64_t spare_bytes) {
  if (process_ == nullptr) return OkStatus();
  std::ifstream statm(fmt::format("/proc/{}/statm", process_->pid()));
  int64_t pages = 0;
  if (!(statm >> pages)) return Internal(name() + ": cannot tell how much memory it has");
  return SetLimit(RLIMIT_AS, static_cast<uint64_t>(pages * ::sysconf(_SC_PAGESIZE) + spare_bytes));
}

Status ChaosDevice::FreeMemory() { return SetLimit(RLIMIT_AS, RLIM_INFINITY); }

Status ChaosDevice::SetLimit(int resource, uint64_t bytes) {
  if (process_ == nullptr) return OkStatus();
  // Only the soft limit: an ordinary user could not raise the hard one again.
  rlimit limit{};
  const auto which = static_cast<__rlimit_resource>(resource);
  if (::prlimit(process_->pid(), which, nullptr, &limit) != 0) return SystemError(name());
  limit.rlim_cur = std::min<rlim_t>(bytes, limit.rlim_max);
  return ::prlimit(process_->pid(), which, &limit, nullptr) == 0 ? OkStatus() : SystemError(name());
}

int64_t ChaosDevice::ResidentBytes() const {
  return process_ == nullptr ? 0 : process_->ResidentBytes();
}

void ChaosDevice::Tidy() {
  if (process_ != nullptr) process_->DropEvents();
  // The device appends, so it goes on at the new end.
  std::error_code ignored;
  if (LogBytes() > kLongLogBytes) fs::resize_file(log_, 0, ignored);
}

int64_t ChaosDevice::LogBytes() const {
  std::error_code error;
  const auto bytes = fs::file_size(log_, error);
  return error ? 0 : static_cast<int64_t>(bytes);
}

std::string ChaosDevice::LogSince(int64_t from) const {
  std::ifstream file(log_, std::ios::binary);
  file.seekg(from);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace braid::cli
