// Status, Result, Rng, files and digests.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "braid/base/digest.h"
#include "braid/base/file.h"
#include "braid/base/rng.h"
#include "braid/base/status.h"

namespace braid {
namespace {

Result<int> Half(int value) {
  if (value % 2 != 0) return InvalidArgument("odd");
  return value / 2;
}

Result<int> Quarter(int value) {
  BRAID_ASSIGN_OR_RETURN(const int half, Half(value));
  BRAID_ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

TEST(StatusTest, PassesErrorsUpwardsWithTheirCode) {
  EXPECT_EQ(*Quarter(12), 3);
  const Result<int> bad = Quarter(6);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(bad.status().WithContext("file").ToString(), "INVALID_ARGUMENT: file: odd");
}

TEST(RngTest, GivesTheSameStreamForASeed) {
  Rng a(7), b(7), c(8);
  EXPECT_EQ(a.Next(), b.Next());
  EXPECT_NE(a.Next(), c.Next());
}

TEST(RngTest, StaysInItsBounds) {
  Rng rng(1);
  bool low = false, high = false;
  for (int i = 0; i < 1000; ++i) {
    const int64_t value = rng.Between(-2, 2);
    ASSERT_GE(value, -2);
    ASSERT_LE(value, 2);
    low |= value == -2;
    high |= value == 2;
  }
  EXPECT_TRUE(low && high);
}

TEST(FileTest, WritesWholeFilesAndReadsThemBack) {
  const auto directory = std::filesystem::temp_directory_path() /
                         ("braid_base_test_" + std::to_string(::getpid()));
  std::filesystem::create_directories(directory);
  const std::string path = directory / "a";
  const std::vector<uint8_t> bytes = {1, 2, 3};
  ASSERT_TRUE(WriteFileAtomically(path, bytes).ok());
  EXPECT_EQ(*ReadFile(path), bytes);
  EXPECT_EQ(ReadFile(path, 2).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(ReadFile(path + "x").status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(WriteFileAtomically(directory / "missing" / "a", bytes).ok());
  std::filesystem::remove_all(directory);
}

TEST(DigestTest, MatchesThePublishedVector) {
  const std::vector<uint8_t> abc = {'a', 'b', 'c'};
  EXPECT_EQ(ToHex(Sha256(abc)), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace braid
