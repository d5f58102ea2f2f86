#include "braid/kernels/generated/kernel_cache.h"

#include <future>
#include <map>
#include <mutex>
#include <string>

#include "braid/kernels/generated/code_memory.h"

namespace braid::kernels::generated {
namespace {

// Keeps the first error that asmjit reports, instead of printing it.
class FirstError final : public asmjit::ErrorHandler {
 public:
  void handleError(asmjit::Error error, const char* message, asmjit::BaseEmitter*) override {
    if (error_ == asmjit::kErrorOk) {
      error_ = error;
      message_ = message;
    }
  }
  asmjit::Error error() const { return error_; }
  const std::string& message() const { return message_; }

 private:
  asmjit::Error error_ = asmjit::kErrorOk;
  std::string message_;
};

Result<Kernel> Compile(const Generator& generator, const ConvolutionShape& shape) {
  FirstError errors;
  asmjit::CodeHolder code;
  code.init(generator.environment());
  code.setErrorHandler(&errors);
  generator.Emit(shape, code);
  if (errors.error() != asmjit::kErrorOk) {
    return Internal("kernel " + ConvolutionName(shape) + ": " + errors.message());
  }
  BRAID_ASSIGN_OR_RETURN(const std::span<const std::byte> installed, InstallCode(code));
  return Kernel{reinterpret_cast<KernelFunction>(reinterpret_cast<uintptr_t>(installed.data())),
                installed};
}

using Entry = std::shared_future<Result<Kernel>>;

struct Cache {
  std::mutex mutex;
  std::map<std::string, Entry> entries;
};

// Kept for ever: plans hold plain function pointers.
Cache& TheCache() {
  static Cache& cache = *new Cache;
  return cache;
}

}  // namespace

Result<Kernel> KernelFor(const Generator& generator, const ConvolutionShape& shape) {
  Cache& cache = TheCache();
  const std::string name = ConvolutionName(shape);
  std::promise<Result<Kernel>> promise;
  Entry entry;
  bool mine = false;
  {
    const std::lock_guard lock(cache.mutex);
    auto [at, inserted] = cache.entries.try_emplace(name);
    if (inserted) at->second = promise.get_future().share();
    entry = at->second;
    mine = inserted;
  }
  if (mine) {
    Result<Kernel> made = Compile(generator, shape);
    // A failure may pass (memory): the next caller tries again.
    if (!made.ok()) {
      const std::lock_guard lock(cache.mutex);
      cache.entries.erase(name);
    }
    promise.set_value(std::move(made));
  }
  return entry.get();
}

}  // namespace braid::kernels::generated
