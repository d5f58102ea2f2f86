#include "braid/kernels/generated/code_memory.h"

#include <sys/mman.h>

namespace braid::kernels::generated {

Result<std::span<const std::byte>> InstallCode(asmjit::CodeHolder& code) {
  if (code.flatten() != asmjit::kErrorOk || code.resolveUnresolvedLinks() != asmjit::kErrorOk) {
    return Internal("kernel: code does not link");
  }
  const size_t bytes = code.codeSize();
  if (bytes == 0) return Internal("kernel: no code");
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return ResourceExhausted("kernel: no memory for code");
  if (code.relocateToBase(reinterpret_cast<uintptr_t>(pages)) != asmjit::kErrorOk ||
      code.copyFlattenedData(pages, bytes) != asmjit::kErrorOk ||
      mprotect(pages, bytes, PROT_READ | PROT_EXEC) != 0) {
    munmap(pages, bytes);
    return ResourceExhausted("kernel: no executable memory");
  }
  // Nothing to do on x86-64, whose instruction cache is coherent.
  __builtin___clear_cache(static_cast<char*>(pages), static_cast<char*>(pages) + bytes);
  return std::span(static_cast<const std::byte*>(pages), bytes);
}

}  // namespace braid::kernels::generated
