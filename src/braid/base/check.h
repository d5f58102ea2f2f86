// Always-on checks for our own bugs, never for input from a file, user or peer. Layer: base.
#pragma once

#include <sstream>

namespace braid {

// Collects the message of a failed BRAID_CHECK and aborts when it goes out of scope.
class CheckFailure {
 public:
  CheckFailure(const char* condition, const char* file, int line);
  [[noreturn]] ~CheckFailure();
  std::ostream& stream() { return stream_; }

 private:
  std::ostringstream stream_;
};

}  // namespace braid

// BRAID_CHECK(x > 0) << "more": aborts with file, line, condition and message when false.
#define BRAID_CHECK(condition) \
  while (!(condition)) ::braid::CheckFailure(#condition, __FILE__, __LINE__).stream()
