// CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected), the checksum of frames. Layer:
// cluster/link. Definition and check value: RFC 3720, appendix B.4.
#pragma once

#include <cstdint>
#include <span>

namespace braid::cluster {

// The CRC of `before ++ bytes`, where `crc` is the CRC of `before` (0 for nothing). The same value
// on every processor; uses the processor's own instruction where it has one.
uint32_t ExtendCrc32c(uint32_t crc, std::span<const uint8_t> bytes);

inline uint32_t Crc32c(std::span<const uint8_t> bytes) { return ExtendCrc32c(0, bytes); }

// The definition by tables, eight bytes a step; ExtendCrc32c equals it (tested).
uint32_t ExtendCrc32cPortable(uint32_t crc, std::span<const uint8_t> bytes);

}  // namespace braid::cluster
