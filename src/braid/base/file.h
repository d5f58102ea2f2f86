// Files read and written whole. Layer: base.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "braid/base/status.h"

namespace braid {

// The whole of `path`. NOT_FOUND when it does not exist, RESOURCE_EXHAUSTED when it is larger
// than `max_bytes`, INTERNAL with the system's reason otherwise.
Result<std::vector<uint8_t>> ReadFile(const std::string& path, uint64_t max_bytes = 1ull << 32);

// Writes `path` whole or not at all: a temporary file beside it, fsync, rename.
Status WriteFileAtomically(const std::string& path, std::span<const uint8_t> bytes);

}  // namespace braid
