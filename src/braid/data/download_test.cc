// Downloads: kept only when the digest is right, whole or not at all.
#include "braid/data/download.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "braid/base/digest.h"
#include "braid/data/data_testing.h"

namespace braid::data {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class DownloadTest : public testing::Test {
 protected:
  DownloadTest() : folder_("braid_download_test") {
    file_.name = "a.bin";
    file_.digests = {ToHex(Sha256(content_))};
  }
  std::string Url(const std::string& path) const { return "file://" + path; }
  bool Kept() const { return std::filesystem::exists(folder_.path() + "/to/a.bin"); }
  Status Fetch() { return Download(file_, folder_.path() + "/to"); }

  TemporaryFolder folder_;
  std::vector<uint8_t> content_ = {1, 2, 3, 4};
  PublishedFile file_;
};

TEST_F(DownloadTest, KeepsAFileWithTheRightDigest) {
  file_.urls = {Url(folder_.Write("from/a.bin", content_))};
  ASSERT_TRUE(Fetch().ok());
  EXPECT_EQ(*ReadFile(folder_.path() + "/to/a.bin"), content_);
}

TEST_F(DownloadTest, GoesOnToTheNextAddress) {
  const std::vector<uint8_t> wrong = {9};
  file_.urls = {Url(folder_.path() + "/missing"), Url(folder_.Write("wrong", wrong)),
                Url(folder_.Write("right", content_))};
  const Status status = Fetch();
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(*ReadFile(folder_.path() + "/to/a.bin"), content_);
}

TEST_F(DownloadTest, KeepsNothingWithAWrongDigest) {
  const std::vector<uint8_t> wrong = {9};
  file_.urls = {Url(folder_.Write("wrong", wrong))};
  const Status status = Fetch();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(),
              AllOf(HasSubstr("1 bytes with SHA-256 "), HasSubstr("expected " + file_.digests[0])));
  EXPECT_FALSE(Kept());
}

TEST_F(DownloadTest, GivesTheReasonOfEveryAddress) {
  // Port 9 (discard) on this machine: refused at once where nothing listens.
  file_.urls = {Url(folder_.path() + "/missing"), "http://127.0.0.1:9/a.bin",
                "ftp://127.0.0.1/a.bin"};
  const Status status = Fetch();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(),
              AllOf(HasSubstr("/missing"), HasSubstr("127.0.0.1:9"), HasSubstr("ftp://")));
  EXPECT_FALSE(Kept());
}

}  // namespace
}  // namespace braid::data
