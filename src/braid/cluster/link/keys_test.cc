// Key files: what is accepted, what is refused, and that nothing of a key shows.
#include "braid/cluster/link/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "braid/base/digest.h"
#include "braid/cluster/link/frame.h"
#include "braid/cluster/link/transport_fixture.h"

namespace braid::cluster {
namespace {

class KeysTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& content, mode_t mode = 0600) {
    const std::string path = folder_.Path("file" + std::to_string(files_++));
    std::ofstream(path, std::ios::binary) << content;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }
  StatusCode LoadCode(const std::string& path) { return PreSharedKey::Load(path).status().code(); }

  KeyFolder folder_;
  int files_ = 0;
};

const std::string kRaw = "0123456789abcdefghijklmnopqrstuv";  // 32 bytes

TEST_F(KeysTest, ReadsRawBytesAndHexadecimalDigitsAlike) {
  const std::string hex = ToHex({reinterpret_cast<const uint8_t*>(kRaw.data()), kRaw.size()});
  const Result<PreSharedKey> raw = PreSharedKey::Load(Write(kRaw));
  ASSERT_TRUE(raw.ok()) << raw.status().ToString();
  for (const std::string& text : {hex, hex + "\n"}) {
    const Result<PreSharedKey> key = PreSharedKey::Load(Write(text));
    ASSERT_TRUE(key.ok()) << key.status().ToString();
    EXPECT_EQ(*key, *raw);
  }
}

TEST_F(KeysTest, RefusesOtherContents) {
  EXPECT_EQ(LoadCode(Write("")), StatusCode::kInvalidArgument);
  EXPECT_EQ(LoadCode(Write(kRaw.substr(1))), StatusCode::kInvalidArgument);
  EXPECT_EQ(LoadCode(Write(kRaw + "\n")), StatusCode::kInvalidArgument);
  EXPECT_EQ(LoadCode(Write(std::string(64, 'x'))), StatusCode::kInvalidArgument);
  EXPECT_EQ(LoadCode(Write(std::string(64, 'a') + "\n\n")), StatusCode::kInvalidArgument);
  EXPECT_EQ(LoadCode(Write(std::string(1000, 'a'))), StatusCode::kInvalidArgument);
  EXPECT_EQ(LoadCode(Write(std::string(32, '\0'))), StatusCode::kInvalidArgument);  // not random
  EXPECT_EQ(LoadCode(folder_.Path("missing")), StatusCode::kNotFound);
  EXPECT_EQ(LoadCode("/dev/null"), StatusCode::kInvalidArgument);  // not a plain file
}

TEST_F(KeysTest, RefusesAFileThatOthersCanReadOrWrite) {
  EXPECT_EQ(LoadCode(Write(kRaw, 0400)), StatusCode::kOk);
  for (const mode_t mode : {0640, 0620, 0604, 0602, 0644, 0660, 0610}) {
    EXPECT_EQ(LoadCode(Write(kRaw, mode)), StatusCode::kPermissionDenied) << std::oct << mode;
  }
}

TEST_F(KeysTest, NeverPrintsAKeyInAnError) {
  const std::string path = Write(kRaw + "x");
  EXPECT_EQ(PreSharedKey::Load(path).status().message().find(kRaw.substr(0, 8)), std::string::npos);
}

TEST_F(KeysTest, MakesNewKeysThatDifferInFilesOfTheirOwnerOnly) {
  const std::string a = folder_.NewKey("a");
  const std::string b = folder_.NewKey("b");
  EXPECT_FALSE(*PreSharedKey::Load(a) == *PreSharedKey::Load(b));
  EXPECT_NE(PreSharedKey::Load(a)->Hint(), PreSharedKey::Load(b)->Hint());
  struct stat info {};
  ASSERT_EQ(::stat(a.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(PreSharedKey::CreateFile(a).code(), StatusCode::kAlreadyExists);
}

TEST_F(KeysTest, RefusesGroupNamesThatDoNotFitAHandshake) {
  const std::string key = folder_.NewKey("key");
  EXPECT_TRUE(KeyRing::Load(std::string(kMaxNameBytes, 'g'), key).ok());
  for (const std::string& group : {std::string(), std::string(kMaxNameBytes + 1, 'g'),
                                   std::string("a\nb"), std::string("k\xc3\xbc")}) {
    EXPECT_EQ(KeyRing::Load(group, key).status().code(), StatusCode::kInvalidArgument);
  }
}

TEST_F(KeysTest, LoadsBothKeysOfARing) {
  const std::string a = folder_.NewKey("a");
  const std::string b = folder_.NewKey("b");
  const Result<KeyRing> ring = KeyRing::Load("group", a, b);
  ASSERT_TRUE(ring.ok());
  EXPECT_EQ(ring->primary, *PreSharedKey::Load(a));
  EXPECT_EQ(*ring->previous, *PreSharedKey::Load(b));
  EXPECT_FALSE(KeyRing::Load("group", a, folder_.Path("missing")).ok());
}

}  // namespace
}  // namespace braid::cluster
