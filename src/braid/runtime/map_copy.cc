#include "braid/runtime/map_copy.h"

#include <cstring>

namespace braid::runtime {
namespace {

void CopyFlipped(uint8_t* to, const uint8_t* from, int64_t bytes, uint8_t flip) {
  if (flip == 0) {
    std::memcpy(to, from, static_cast<size_t>(bytes));
    return;
  }
  for (int64_t i = 0; i < bytes; ++i) to[i] = from[i] ^ flip;
}

// Calls visit(offset in the arena, offset in the dense form, bytes) for what lies in one piece.
template <typename Visit>
void ForEachPiece(const MapMemory& map, int n, Visit visit) {
  if (map.ring.Empty()) {
    visit(map.offset, int64_t{0}, map.WireBytes() * n);
    return;
  }
  int64_t dense = 0;
  for (int image = 0; image < n; ++image) {
    const int64_t first = map.offset + image * map.bytes_per_image;
    for (int y = 0; y < map.rows; ++y, dense += map.PixelBytes()) {
      visit(first + map.PixelOffset(y, 0), dense, map.PixelBytes());
    }
  }
}

}  // namespace

void CopyIntoRing(const MapMemory& map, int n, const uint8_t* dense, uint8_t flip,
                  std::byte* arena) {
  auto* bytes = reinterpret_cast<uint8_t*>(arena);
  ForEachPiece(map, n, [&](int64_t at, int64_t from, int64_t count) {
    CopyFlipped(bytes + at, dense + from, count, flip);
  });
}

void CopyOutOfRing(const MapMemory& map, int n, const std::byte* arena, uint8_t flip,
                   uint8_t* dense) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(arena);
  ForEachPiece(map, n, [&](int64_t at, int64_t to, int64_t count) {
    CopyFlipped(dense + to, bytes + at, count, flip);
  });
}

}  // namespace braid::runtime
