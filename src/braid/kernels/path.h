// Which implementation of the operators runs: every path gives the same bits. Layer: kernels.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace braid::kernels {

enum class Path : uint8_t {
  kScalar = 0,      // the reference: defines every operator
  kAvx2 = 1,        // x86-64 with AVX2
  kAvx512Vnni = 2,  // x86-64 with AVX-512 F, BW, VL and VNNI
  kNeon = 3,        // AArch64
  kNeonDot = 4,     // AArch64 with sdot (FEAT_DotProd)
};
inline constexpr Path kAllPaths[] = {Path::kScalar, Path::kAvx2, Path::kAvx512Vnni, Path::kNeon,
                                     Path::kNeonDot};
// Paths with code for the architecture that this program was built for, slowest first.
#if defined(__x86_64__)
inline constexpr Path kBuiltPaths[] = {Path::kScalar, Path::kAvx2, Path::kAvx512Vnni};
#elif defined(__aarch64__)
inline constexpr Path kBuiltPaths[] = {Path::kScalar, Path::kNeon, Path::kNeonDot};
#else
inline constexpr Path kBuiltPaths[] = {Path::kScalar};
#endif

std::string_view PathName(Path path);  // "scalar", "avx2", "neondot", ...
std::optional<Path> PathFromName(std::string_view name);
// Whether this processor can run `path`.
bool PathSupported(Path path);
// Supported paths, slowest first; never empty.
std::vector<Path> SupportedPaths();
// The fastest supported path.
Path BestPath();

}  // namespace braid::kernels
