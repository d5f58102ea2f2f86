#include "braid/kernels/range.h"

namespace braid::kernels {

// No early return inside the loops: the good case is the common one, and a fold vectorizes.
bool InRange(std::span<const uint8_t> bytes, ElementKind kind) {
  uint8_t seen = 0;
  switch (kind) {
    case ElementKind::kU7:
      for (const uint8_t byte : bytes) seen |= byte;
      return seen < 0x80;
    case ElementKind::kS8:
      for (const uint8_t byte : bytes) seen = static_cast<uint8_t>(seen | (byte == 0x80 ? 1 : 0));
      return seen == 0;
    case ElementKind::kWide:
      return false;
  }
  return false;
}

}  // namespace braid::kernels
