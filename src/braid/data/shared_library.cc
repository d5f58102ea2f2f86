#include "braid/data/shared_library.h"

#include <dlfcn.h>

namespace braid::data {

SharedLibrary::SharedLibrary(const char* name) : handle_(dlopen(name, RTLD_LAZY | RTLD_LOCAL)) {
  if (handle_ == nullptr) status_ = FailedPrecondition(std::string("cannot load ") + dlerror());
}

void* SharedLibrary::Symbol(const char* symbol) {
  if (!status_.ok()) return nullptr;
  void* found = dlsym(handle_, symbol);
  if (found == nullptr) status_ = FailedPrecondition(std::string("cannot use ") + dlerror());
  return found;
}

}  // namespace braid::data
