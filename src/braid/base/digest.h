// SHA-256, by OpenSSL: files, tensors and data sets are named by it. Layer: base.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace braid {

using Sha256Digest = std::array<uint8_t, 32>;

Sha256Digest Sha256(std::span<const uint8_t> bytes);

// 64 lower-case hexadecimal digits.
std::string ToHex(std::span<const uint8_t> bytes);

}  // namespace braid
