#include "braid/kernels/kernel_set.h"

#include "braid/base/check.h"
#include "braid/kernels/reference/convolution.h"
#include "braid/kernels/reference/pooling.h"
#include "braid/kernels/reference/requantization.h"
#if defined(__x86_64__)
#include "braid/kernels/x86/convolution.h"
#include "braid/kernels/x86/pooling.h"
#include "braid/kernels/x86/requantization.h"
#endif

namespace braid::kernels {
namespace {

constexpr KernelSet kScalarKernels = {
    .path = Path::kScalar,
    .tile_bytes = reference::TileBytes,
    .pack_tile = reference::PackTile,
    .scratch_bytes = reference::ScratchBytes,
    .convolve = reference::Convolve,
    .requantize = reference::Requantize,
    .max_pool = reference::MaxPool,
    .sum_pool = reference::SumPool,
};

#if defined(__x86_64__)
constexpr KernelSet kAvx2Kernels = {
    .path = Path::kAvx2,
    .tile_bytes = x86::TileBytes,
    .pack_tile = x86::PackTileAvx2,
    .scratch_bytes = x86::ScratchBytes,
    .convolve = x86::ConvolveAvx2,
    .requantize = x86::RequantizeAvx2,
    .max_pool = x86::MaxPoolAvx2,
    .sum_pool = x86::SumPoolAvx2,
};

// Epilogue and pools move few bytes; 256-bit registers serve them as well as 512-bit ones.
constexpr KernelSet kAvx512VnniKernels = {
    .path = Path::kAvx512Vnni,
    .tile_bytes = x86::TileBytes,
    .pack_tile = x86::PackTileAvx512Vnni,
    .scratch_bytes = x86::ScratchBytes,
    .convolve = x86::ConvolveAvx512Vnni,
    .requantize = x86::RequantizeAvx2,
    .max_pool = x86::MaxPoolAvx2,
    .sum_pool = x86::SumPoolAvx2,
};
#endif

}  // namespace

const KernelSet& KernelsFor(Path path) {
  BRAID_CHECK(PathSupported(path)) << "this processor cannot run path " << PathName(path);
#if defined(__x86_64__)
  switch (path) {
    case Path::kScalar:
      return kScalarKernels;
    case Path::kAvx2:
      return kAvx2Kernels;
    case Path::kAvx512Vnni:
      return kAvx512VnniKernels;
  }
#endif
  return kScalarKernels;
}

}  // namespace braid::kernels
