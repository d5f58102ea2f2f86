// A shared library that sets the wall clock of one process, for `braid chaos`: loaded before the C
// library (LD_PRELOAD), it adds to the wall clock what the file BRAID_CLOCK_OFFSET_FILE holds at that
// moment, nanoseconds as s64. Monotonic clocks are left alone, as they are when a clock is set.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace {

constexpr int64_t kSecond = 1'000'000'000;

int64_t OffsetNs() {
  // Mapped once; whoever set the variable changes the file in place.
  static const int64_t* const offset = [] {
    const char* path = std::getenv("BRAID_CLOCK_OFFSET_FILE");
    const int fd = path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
    void* mapped = fd < 0 ? MAP_FAILED : ::mmap(nullptr, 8, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0) ::close(fd);
    return mapped == MAP_FAILED ? nullptr : static_cast<const int64_t*>(mapped);
  }();
  return offset == nullptr ? 0 : __atomic_load_n(offset, __ATOMIC_RELAXED);
}

bool IsWallClock(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const long result = ::syscall(SYS_clock_gettime, clock, time);
  if (result != 0 || !IsWallClock(clock)) return static_cast<int>(result);
  int64_t ns = time->tv_sec * kSecond + time->tv_nsec + OffsetNs();
  if (ns < 0) ns = 0;
  time->tv_sec = ns / kSecond;
  time->tv_nsec = ns % kSecond;
  return 0;
}

int gettimeofday(timeval* __restrict time, void* __restrict zone) noexcept {
  (void)zone;  // obsolete
  timespec now{};
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* out) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) *out = now.tv_sec;
  return now.tv_sec;
}

}  // extern "C"
