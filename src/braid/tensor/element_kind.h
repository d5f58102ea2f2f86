// The kinds of integer that a tensor holds (docs/numerics.md, section 1). Layer: tensor.
#pragma once

#include <cstddef>
#include <cstdint>

namespace braid {

enum class ElementKind : uint8_t {
  kU7 = 0,    // 0..127 in a byte: after a Bounded ReLU; the bound maps to 127
  kS8 = 1,    // -127..127 in a byte (network input: pixel - 128, so -128 occurs there only)
  kWide = 2,  // s32: accumulators, shortcuts, pooling sums, logits
};

constexpr size_t ElementBytes(ElementKind kind) { return kind == ElementKind::kWide ? 4 : 1; }

constexpr const char* ElementKindName(ElementKind kind) {
  switch (kind) {
    case ElementKind::kU7: return "u7";
    case ElementKind::kS8: return "s8";
    case ElementKind::kWide: return "wide";
  }
  return "?";
}

}  // namespace braid
