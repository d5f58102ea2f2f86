// Named files out of a tar archive in any compression that libarchive reads. Layer: data.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "braid/base/status.h"

namespace braid::data {

// The members of the archive `bytes` whose path is in `wanted`, each at most `max_member_bytes`.
// `name` opens every error: DATA_LOSS for damage, a missing or a doubled member.
Result<std::map<std::string, std::vector<uint8_t>>> ReadArchive(
    std::span<const uint8_t> bytes, const std::string& name, const std::vector<std::string>& wanted,
    uint64_t max_member_bytes);

}  // namespace braid::data
