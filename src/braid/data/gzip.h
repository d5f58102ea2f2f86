// Reads a gzip file whole and checks it to its last byte. Layer: data. Format: RFC 1952.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "braid/base/status.h"

namespace braid::data {

// Whether `bytes` start as a gzip member does.
bool IsGzip(std::span<const uint8_t> bytes);

// The content of all members of `bytes`, with length and CRC-32 checked. `name` opens every error:
// DATA_LOSS for damage (with the position), RESOURCE_EXHAUSTED beyond `max_bytes` of content.
// zlib rather than libarchive's filter, because that filter does not check the CRC.
Result<std::vector<uint8_t>> Gunzip(std::span<const uint8_t> bytes, const std::string& name,
                                    uint64_t max_bytes);

}  // namespace braid::data
