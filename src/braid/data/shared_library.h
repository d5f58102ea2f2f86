// A shared library that is loaded when it is first needed, not when the program starts: libcurl and
// libarchive bring 33 more with them, and most runs of the program need neither. Layer: data.
#pragma once

#include <string>

#include "braid/base/status.h"

namespace braid::data {

// Stays loaded until the process ends: pointers to its functions never dangle.
class SharedLibrary {
 public:
  // `name` is the library's soname, such as "libcurl.so.4".
  explicit SharedLibrary(const char* name);

  // Sets `function` to the library's function `symbol`, whose type it must have. After a failure
  // (status()) all later calls leave null.
  template <typename Function>
  void Find(const char* symbol, Function*& function) {
    function = reinterpret_cast<Function*>(Symbol(symbol));
  }
  // FAILED_PRECONDITION when the library, or a symbol asked for, is not there.
  Status status() const { return status_; }

 private:
  void* Symbol(const char* symbol);

  void* handle_ = nullptr;
  Status status_;
};

}  // namespace braid::data
