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
};

std::string_view PathName(Path path);  // "scalar", "avx2", "avx512vnni"
std::optional<Path> PathFromName(std::string_view name);
// Whether this processor can run `path`.
bool PathSupported(Path path);
// Supported paths, slowest first; never empty.
std::vector<Path> SupportedPaths();
// The fastest supported path.
Path BestPath();

}  // namespace braid::kernels
