#include "braid/kernels/path.h"

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace braid::kernels {

std::string_view PathName(Path path) {
  switch (path) {
    case Path::kScalar:
      return "scalar";
    case Path::kAvx2:
      return "avx2";
    case Path::kAvx512Vnni:
      return "avx512vnni";
    case Path::kNeon:
      return "neon";
    case Path::kNeonDot:
      return "neondot";
  }
  return "?";
}

std::optional<Path> PathFromName(std::string_view name) {
  for (const Path path : kAllPaths) {
    if (PathName(path) == name) return path;
  }
  return std::nullopt;
}

// On x86-64, __builtin_cpu_supports asks CPUID once and also whether the operating system saves the
// wide registers (XGETBV). On AArch64 the kernel says what programs may use; ASIMD is part of the
// 64-bit ABI.
bool PathSupported(Path path) {
  switch (path) {
    case Path::kScalar:
      return true;
#if defined(__x86_64__)
    case Path::kAvx2:
      return __builtin_cpu_supports("avx2") != 0;
    case Path::kAvx512Vnni:
      return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("avx512f") != 0 &&
             __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
             __builtin_cpu_supports("avx512vnni") != 0;
#else
    case Path::kAvx2:
    case Path::kAvx512Vnni:
      return false;
#endif
#if defined(__aarch64__)
    case Path::kNeon:
      return true;
    case Path::kNeonDot:
      return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
    case Path::kNeon:
    case Path::kNeonDot:
      return false;
#endif
  }
  return false;
}

std::vector<Path> SupportedPaths() {
  std::vector<Path> paths;
  for (const Path path : kBuiltPaths) {
    if (PathSupported(path)) paths.push_back(path);
  }
  return paths;
}

Path BestPath() { return SupportedPaths().back(); }

}  // namespace braid::kernels
