#include "braid/kernels/kernel_set.h"

#include "braid/base/check.h"
#include "braid/kernels/reference/filters.h"
#include "braid/kernels/reference/pooling.h"
#include "braid/kernels/reference/requantization.h"
#if defined(__x86_64__)
#include "braid/kernels/x86/pooling.h"
#include "braid/kernels/x86/requantization.h"
#endif

namespace braid::kernels {
namespace {

constexpr KernelSet Reference(Path path) {
  return {
      .path = path,
      .requantize = reference::Requantize,
      .max_pool = reference::MaxPool,
      .sum_pool = reference::SumPool,
      .filter_sums = reference::FilterSums,
  };
}
constexpr KernelSet kScalarKernels = Reference(Path::kScalar);

#if defined(__x86_64__)
// Pools move few bytes: 256-bit registers serve them as well as 512-bit ones.
constexpr KernelSet Vectorized(Path path) {
  return {
      .path = path,
      .requantize = x86::RequantizeAvx2,
      .max_pool = x86::MaxPoolAvx2,
      .sum_pool = x86::SumPoolAvx2,
      .filter_sums = reference::FilterSums,
  };
}
constexpr KernelSet kAvx2Kernels = Vectorized(Path::kAvx2);
constexpr KernelSet kAvx512VnniKernels = Vectorized(Path::kAvx512Vnni);
#elif defined(__aarch64__)
// ASIMD is part of the base instruction set: the compiler vectorizes the reference's own loops.
constexpr KernelSet kNeonKernels = Reference(Path::kNeon);
constexpr KernelSet kNeonDotKernels = Reference(Path::kNeonDot);
#endif

}  // namespace

const KernelSet& KernelsFor(Path path) {
  BRAID_CHECK(PathSupported(path)) << "this processor cannot run path " << PathName(path);
  switch (path) {
    case Path::kScalar:
      return kScalarKernels;
#if defined(__x86_64__)
    case Path::kAvx2:
      return kAvx2Kernels;
    case Path::kAvx512Vnni:
      return kAvx512VnniKernels;
    case Path::kNeon:
    case Path::kNeonDot:
      break;
#elif defined(__aarch64__)
    case Path::kNeon:
      return kNeonKernels;
    case Path::kNeonDot:
      return kNeonDotKernels;
    case Path::kAvx2:
    case Path::kAvx512Vnni:
      break;
#else
    case Path::kAvx2:
    case Path::kAvx512Vnni:
    case Path::kNeon:
    case Path::kNeonDot:
      break;
#endif
  }
  return kScalarKernels;
}

}  // namespace braid::kernels
