#include "braid/kernels/path.h"

#include <array>

namespace braid::kernels {
namespace {

constexpr std::array<Path, 3> kSlowestFirst = {Path::kScalar, Path::kAvx2, Path::kAvx512Vnni};

}  // namespace

std::string_view PathName(Path path) {
  switch (path) {
    case Path::kScalar:
      return "scalar";
    case Path::kAvx2:
      return "avx2";
    case Path::kAvx512Vnni:
      return "avx512vnni";
  }
  return "?";
}

std::optional<Path> PathFromName(std::string_view name) {
  for (const Path path : kSlowestFirst) {
    if (PathName(path) == name) return path;
  }
  return std::nullopt;
}

// __builtin_cpu_supports asks CPUID once and also whether the operating system saves the wide
// registers (XGETBV).
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
  }
  return false;
}

std::vector<Path> SupportedPaths() {
  std::vector<Path> paths;
  for (const Path path : kSlowestFirst) {
    if (PathSupported(path)) paths.push_back(path);
  }
  return paths;
}

Path BestPath() { return SupportedPaths().back(); }

}  // namespace braid::kernels
