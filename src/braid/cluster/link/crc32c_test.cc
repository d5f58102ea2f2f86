// The frame checksum against its published values, and its two implementations against each other.
#include "braid/cluster/link/crc32c.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string_view>
#include <vector>

#include "braid/base/rng.h"

namespace braid::cluster {
namespace {

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// RFC 3720, B.4, and the usual check value of the CRC catalogues.
TEST(Crc32cTest, MatchesThePublishedValues) {
  EXPECT_EQ(Crc32c(Bytes("123456789")), 0xE3069283u);
  EXPECT_EQ(Crc32c(std::vector<uint8_t>(32, 0x00)), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(std::vector<uint8_t>(32, 0xff)), 0x62A8AB43u);
  std::vector<uint8_t> ascending(32);
  std::iota(ascending.begin(), ascending.end(), uint8_t{0});
  EXPECT_EQ(Crc32c(ascending), 0x46DD794Eu);
  EXPECT_EQ(Crc32c({}), 0u);
}

TEST(Crc32cTest, IsTheSameByTablesAndByInstruction) {
  Rng rng(1);
  for (size_t size = 0; size < 70; ++size) {
    std::vector<uint8_t> bytes(size);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(rng.Next());
    EXPECT_EQ(Crc32c(bytes), ExtendCrc32cPortable(0, bytes)) << size;
    for (size_t cut = 0; cut <= size; ++cut) {
      const std::span<const uint8_t> whole(bytes);
      const uint32_t first = ExtendCrc32cPortable(0, whole.first(cut));
      EXPECT_EQ(ExtendCrc32c(first, whole.subspan(cut)), Crc32c(bytes)) << size << " at " << cut;
    }
  }
}

}  // namespace
}  // namespace braid::cluster
