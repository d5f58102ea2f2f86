#include "braid/kernels/generated/generator.h"

#if defined(__x86_64__)
#include "braid/kernels/generated/x86/generators.h"
#elif defined(__aarch64__)
#include "braid/kernels/generated/aarch64/generators.h"
#endif

namespace braid::kernels::generated {

const Generator* GeneratorFor(Path path) {
  switch (path) {
    case Path::kScalar:
      return nullptr;
#if defined(__x86_64__)
    case Path::kAvx2:
      return &x86::Avx2Generator();
    case Path::kAvx512Vnni:
      return &x86::Avx512VnniGenerator();
#else
    case Path::kAvx2:
    case Path::kAvx512Vnni:
      return nullptr;
#endif
#if defined(__aarch64__)
    case Path::kNeon:
      return &aarch64::NeonGenerator();
    case Path::kNeonDot:
      return &aarch64::NeonDotGenerator();
#else
    case Path::kNeon:
    case Path::kNeonDot:
      return nullptr;
#endif
  }
  return nullptr;
}

}  // namespace braid::kernels::generated
