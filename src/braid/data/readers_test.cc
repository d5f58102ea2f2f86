// The readers: what they accept, and what they say about every kind of damage.
#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "braid/data/archive.h"
#include "braid/data/catalog.h"
#include "braid/data/data_testing.h"
#include "braid/data/dataset.h"
#include "braid/data/gzip.h"
#include "braid/data/idx.h"

namespace braid::data {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr int kImages = 5;
constexpr size_t kPixels = 28 * 28;

std::vector<uint8_t> Ramp(size_t count) {
  std::vector<uint8_t> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>(i * 7 + i / 256);
  return bytes;
}

std::vector<uint8_t> ImagesIdx() {
  const int dims[] = {kImages, 28, 28};
  return SerializeIdx(dims, Ramp(kImages * kPixels));
}

std::vector<uint8_t> LabelsIdx(const std::vector<uint8_t>& labels = {3, 1, 4, 1, 5}) {
  const int dims[] = {static_cast<int>(labels.size())};
  return SerializeIdx(dims, labels);
}

class MnistReaderTest : public testing::Test {
 protected:
  MnistReaderTest() : folder_("braid_mnist_test") {}

  // Writes the test split, gzipped unless the name says otherwise, and loads it.
  Result<Dataset> LoadWith(const std::vector<uint8_t>& images, const std::vector<uint8_t>& labels) {
    folder_.Write("mnist/t10k-images-idx3-ubyte.gz", images);
    folder_.Write("mnist/t10k-labels-idx1-ubyte.gz", labels);
    return LoadIt();
  }
  Result<Dataset> LoadIt() {
    LoadOptions options;
    options.folders = {folder_.path()};
    return Load("mnist", "test", options);
  }
  void ExpectDamage(const Result<Dataset>& result, const std::string& where,
                    const std::string& what) {
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.status().code(), StatusCode::kDataLoss) << result.status().ToString();
    EXPECT_THAT(result.status().message(),
                AllOf(HasSubstr("-ubyte"), HasSubstr(where), HasSubstr(what)));
  }

  TemporaryFolder folder_;
};

TEST_F(MnistReaderTest, ReadsGzippedFiles) {
  const Result<Dataset> data = LoadWith(GzipBytes(ImagesIdx()), GzipBytes(LabelsIdx()));
  ASSERT_TRUE(data.ok()) << data.status().ToString();
  EXPECT_EQ(data->count, kImages);
  EXPECT_EQ(data->images, Ramp(kImages * kPixels));
  EXPECT_EQ(data->targets, (std::vector<uint8_t>{3, 1, 4, 1, 5}));
  EXPECT_EQ(data->digest.size(), 64u);
}

TEST_F(MnistReaderTest, ReadsUncompressedFilesAndGivesTheSameDigest) {
  const std::string packed = LoadWith(GzipBytes(ImagesIdx()), GzipBytes(LabelsIdx()))->digest;
  std::filesystem::remove_all(folder_.path() + "/mnist");
  folder_.Write("mnist/t10k-images-idx3-ubyte", ImagesIdx());
  folder_.Write("mnist/t10k-labels-idx1-ubyte", LabelsIdx());
  const Result<Dataset> data = LoadIt();
  ASSERT_TRUE(data.ok()) << data.status().ToString();
  EXPECT_EQ(data->digest, packed);
}

TEST_F(MnistReaderTest, ReportsFilesWhoseDigestIsNotThePublishedOne) {
  const Result<Dataset> data = LoadWith(GzipBytes(ImagesIdx()), GzipBytes(LabelsIdx()));
  ASSERT_TRUE(data.ok());
  ASSERT_EQ(data->sources.size(), 2u);
  EXPECT_FALSE(data->sources[0].known);
  EXPECT_THAT(data->sources[0].path, HasSubstr("t10k-images"));
}

TEST_F(MnistReaderTest, SaysWhereItLookedWhenNothingIsThere) {
  const Result<Dataset> data = LoadIt();
  EXPECT_EQ(data.status().code(), StatusCode::kNotFound);
  EXPECT_THAT(data.status().message(), HasSubstr(folder_.path() + "/mnist"));
}

TEST_F(MnistReaderTest, NamesTheMissingHalf) {
  folder_.Write("mnist/t10k-images-idx3-ubyte.gz", GzipBytes(ImagesIdx()));
  ExpectDamage(LoadIt(), "no t10k-labels-idx1-ubyte.gz", "but");
}

TEST_F(MnistReaderTest, RefusesEveryTruncationOfTheGzipStream) {
  const std::vector<uint8_t> whole = GzipBytes(ImagesIdx());
  for (size_t size = 2; size < whole.size(); size += 1 + whole.size() / 97) {
    const std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<long>(size));
    ExpectDamage(LoadWith(cut, GzipBytes(LabelsIdx())),
                 "at byte " + std::to_string(size) + " of " + std::to_string(size), "cut off");
  }
}

TEST_F(MnistReaderTest, RefusesAWrongChecksum) {
  std::vector<uint8_t> bad = GzipBytes(ImagesIdx());
  bad[bad.size() - 8] ^= 1;  // the CRC-32 stands before the length
  ExpectDamage(LoadWith(bad, GzipBytes(LabelsIdx())), "at byte", "incorrect data check");
}

TEST_F(MnistReaderTest, RefusesDataAfterTheGzipStream) {
  std::vector<uint8_t> bad = GzipBytes(ImagesIdx());
  const std::string end = std::to_string(bad.size());
  bad.push_back(0);
  ExpectDamage(LoadWith(bad, GzipBytes(LabelsIdx())), "at byte " + end,
               "data after the end of the gzip stream");
}

TEST_F(MnistReaderTest, RefusesAFileThatIsNoGzip) {
  ExpectDamage(LoadWith(ImagesIdx(), GzipBytes(LabelsIdx())), "at byte 0", "no gzip header");
}

TEST_F(MnistReaderTest, RefusesLabelsInPlaceOfImages) {
  ExpectDamage(LoadWith(GzipBytes(LabelsIdx(Ramp(100))), GzipBytes(LabelsIdx())), "at byte 0",
               "magic number 0x00000801, expected 0x00000803");
}

TEST_F(MnistReaderTest, RefusesImagesOfAnotherSize) {
  const int dims[] = {1, 14, 56};
  ExpectDamage(LoadWith(GzipBytes(SerializeIdx(dims, Ramp(kPixels))), GzipBytes(LabelsIdx({1}))),
               "at byte 8", "images of 14x56, expected 28x28");
}

TEST_F(MnistReaderTest, RefusesMoreOrFewerLabelsThanImages) {
  ExpectDamage(LoadWith(GzipBytes(ImagesIdx()), GzipBytes(LabelsIdx({1, 2}))), "at byte 4",
               "2 labels for the 5 images");
}

TEST_F(MnistReaderTest, RefusesALabelOutOfRange) {
  ExpectDamage(LoadWith(GzipBytes(ImagesIdx()), GzipBytes(LabelsIdx({1, 2, 10, 3, 4}))),
               "at byte 10", "label 10 of image 2 is not one of 0..9");
}

TEST_F(MnistReaderTest, RefusesPixelsBeyondOrShortOfTheHeader) {
  std::vector<uint8_t> more = ImagesIdx(), fewer = ImagesIdx();
  more.push_back(9);
  fewer.pop_back();
  const std::string end = std::to_string(16 + kImages * kPixels);
  ExpectDamage(LoadWith(GzipBytes(more), GzipBytes(LabelsIdx())), "at byte " + end,
               "data after the last value");
  ExpectDamage(LoadWith(GzipBytes(fewer), GzipBytes(LabelsIdx())),
               "at byte " + std::to_string(15 + kImages * kPixels), "the file ends here");
}

TEST(IdxTest, RefusesEveryTruncationOfAHeader) {
  const std::vector<uint8_t> whole = ImagesIdx();
  for (size_t size = 0; size < 16; ++size) {
    const auto result = ParseIdx(std::span(whole).first(size), "f", 3);
    EXPECT_THAT(result.status().message(), HasSubstr("ends inside its header")) << size;
  }
}

TEST(IdxTest, RefusesDimensionsThatNoFileHolds) {
  std::vector<uint8_t> bytes = ImagesIdx();
  std::fill(bytes.begin() + 4, bytes.begin() + 16, uint8_t{0xff});
  EXPECT_THAT(ParseIdx(bytes, "f", 3).status().message(), HasSubstr("at byte 4"));
  bytes = ImagesIdx();
  std::fill(bytes.begin() + 4, bytes.begin() + 8, uint8_t{0});
  EXPECT_THAT(ParseIdx(bytes, "f", 3).status().message(), HasSubstr("dimension 0 is 0"));
}

TEST(GzipTest, ReadsMembersOneAfterTheOther) {
  std::vector<uint8_t> both = GzipBytes(Ramp(10));
  const std::vector<uint8_t> second = GzipBytes(Ramp(3));
  both.insert(both.end(), second.begin(), second.end());
  EXPECT_EQ(Gunzip(both, "f", 1000)->size(), 13u);
}

TEST(GzipTest, StopsAtTheLimitOfContent) {
  // A bomb: 4 MB of zeros in 4 KB.
  const std::vector<uint8_t> bomb = GzipBytes(std::vector<uint8_t>(4u << 20));
  EXPECT_EQ(Gunzip(bomb, "f", 4u << 20)->size(), 4u << 20);
  EXPECT_EQ(Gunzip(bomb, "f", (4u << 20) - 1).status().code(), StatusCode::kResourceExhausted);
}

// A tar with the given members, compressed by `filter` (a libarchive filter code).
std::vector<uint8_t> MakeTar(const std::vector<std::pair<std::string, std::vector<uint8_t>>>& files,
                             int filter) {
  std::vector<uint8_t> out((size_t{1} << 20) + (size_t{1} << 16));
  size_t used = 0;
  archive* writer = archive_write_new();
  archive_write_add_filter(writer, filter);
  archive_write_set_format_ustar(writer);
  BRAID_CHECK(archive_write_open_memory(writer, out.data(), out.size(), &used) == ARCHIVE_OK);
  for (const auto& [path, bytes] : files) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, path.c_str());
    archive_entry_set_size(entry, static_cast<int64_t>(bytes.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    BRAID_CHECK(archive_write_header(writer, entry) == ARCHIVE_OK);
    BRAID_CHECK(archive_write_data(writer, bytes.data(), bytes.size()) ==
                static_cast<la_ssize_t>(bytes.size()));
    archive_entry_free(entry);
  }
  BRAID_CHECK(archive_write_close(writer) == ARCHIVE_OK);
  archive_write_free(writer);
  out.resize(used);
  return out;
}

// Records of one split: label r % 10, then planes that differ by channel.
constexpr int kRecords = 3;
std::vector<uint8_t> CifarFile(int records = kRecords) {
  std::vector<uint8_t> bytes;
  for (int r = 0; r < records; ++r) {
    bytes.push_back(static_cast<uint8_t>(r % 10));
    for (int c = 0; c < 3; ++c) {
      for (int p = 0; p < 1024; ++p) bytes.push_back(static_cast<uint8_t>(p + 50 * c + r));
    }
  }
  return bytes;
}

constexpr char kTestBatch[] = "cifar-10-batches-bin/test_batch.bin";

class CifarReaderTest : public testing::Test {
 protected:
  CifarReaderTest() : folder_("braid_cifar_test") {}
  Result<Dataset> LoadSplit(const std::string& split = "test") {
    LoadOptions options;
    options.folders = {folder_.path()};
    options.cifar_records_per_file = kRecords;
    return Load("cifar10", split, options);
  }
  void ExpectDamage(const std::string& what) {
    const Result<Dataset> data = LoadSplit();
    ASSERT_FALSE(data.ok());
    EXPECT_EQ(data.status().code(), StatusCode::kDataLoss) << data.status().ToString();
    EXPECT_THAT(data.status().message(), AllOf(HasSubstr(folder_.path()), HasSubstr(what)));
  }
  TemporaryFolder folder_;
};

TEST_F(CifarReaderTest, ReadsBothArchivesAndTheExtractedFilesAlike) {
  folder_.Write("cifar10/cifar-10-binary.tar.gz",
                MakeTar({{kTestBatch, CifarFile()}}, ARCHIVE_FILTER_GZIP));
  const Result<Dataset> gz = LoadSplit();
  ASSERT_TRUE(gz.ok()) << gz.status().ToString();
  EXPECT_EQ(gz->count, kRecords);
  EXPECT_EQ(gz->targets, (std::vector<uint8_t>{0, 1, 2}));
  // Image 1, pixel 10: red, green, blue side by side.
  EXPECT_EQ(gz->Image(1)[30], 11);
  EXPECT_EQ(gz->Image(1)[31], 61);
  EXPECT_EQ(gz->Image(1)[32], 111);
  std::filesystem::remove_all(folder_.path() + "/cifar10");
  folder_.Write("cifar10/cifar-10-binary.tar.xz",
                MakeTar({{std::string("./") + kTestBatch, CifarFile()}}, ARCHIVE_FILTER_XZ));
  EXPECT_EQ(LoadSplit()->digest, gz->digest);
  std::filesystem::remove_all(folder_.path() + "/cifar10");
  folder_.Write(std::string("cifar10/") + kTestBatch, CifarFile());
  EXPECT_EQ(LoadSplit()->digest, gz->digest);
}

TEST_F(CifarReaderTest, PutsTheFiveTrainingFilesInOrder) {
  std::vector<std::pair<std::string, std::vector<uint8_t>>> files;
  for (int i = 5; i >= 1; --i) {  // the archive's order is not the data set's
    std::vector<uint8_t> file = CifarFile();
    file[0] = static_cast<uint8_t>(i);
    files.push_back({"cifar-10-batches-bin/data_batch_" + std::to_string(i) + ".bin", file});
  }
  folder_.Write("cifar10/cifar-10-binary.tar.xz", MakeTar(files, ARCHIVE_FILTER_XZ));
  const Result<Dataset> data = LoadSplit("train");
  ASSERT_TRUE(data.ok()) << data.status().ToString();
  EXPECT_EQ(data->count, 5 * kRecords);
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(data->targets[i * kRecords], i + 1);
}

TEST_F(CifarReaderTest, RefusesTruncatedArchives) {
  for (const auto& [filter, name] : {std::pair(ARCHIVE_FILTER_GZIP, "cifar-10-binary.tar.gz"),
                                     std::pair(ARCHIVE_FILTER_XZ, "cifar-10-binary.tar.xz")}) {
    const std::vector<uint8_t> whole = MakeTar({{kTestBatch, CifarFile()}}, filter);
    for (size_t size = 1; size < whole.size() / 2; size += 1 + whole.size() / 29) {
      std::filesystem::remove_all(folder_.path() + "/cifar10");
      folder_.Write(std::string("cifar10/") + name, std::span(whole).first(size));
      ExpectDamage(name);
    }
  }
}

TEST_F(CifarReaderTest, RefusesDamageInsideAnArchive) {
  for (const auto& [filter, name] : {std::pair(ARCHIVE_FILTER_GZIP, "cifar-10-binary.tar.gz"),
                                     std::pair(ARCHIVE_FILTER_XZ, "cifar-10-binary.tar.xz")}) {
    std::vector<uint8_t> bad = MakeTar({{kTestBatch, CifarFile()}}, filter);
    bad[bad.size() / 3] ^= 0x10;
    std::filesystem::remove_all(folder_.path() + "/cifar10");
    folder_.Write(std::string("cifar10/") + name, bad);
    ExpectDamage("byte");
  }
}

TEST_F(CifarReaderTest, NamesAMissingMember) {
  folder_.Write("cifar10/cifar-10-binary.tar.xz",
                MakeTar({{"cifar-10-batches-bin/readme.html", Ramp(88)}}, ARCHIVE_FILTER_XZ));
  ExpectDamage(std::string("has no member ") + kTestBatch);
}

TEST_F(CifarReaderTest, RefusesADoubledMember) {
  folder_.Write("cifar10/cifar-10-binary.tar.xz",
                MakeTar({{kTestBatch, CifarFile()}, {kTestBatch, CifarFile()}}, ARCHIVE_FILTER_XZ));
  ExpectDamage("second member");
}

TEST_F(CifarReaderTest, RefusesACountOfRecordsThatIsNotThePublishedOne) {
  folder_.Write(std::string("cifar10/") + kTestBatch, CifarFile(kRecords - 1));
  ExpectDamage("at byte 6146: the file ends here; expected 3 records");
  folder_.Write(std::string("cifar10/") + kTestBatch, CifarFile(kRecords + 1));
  ExpectDamage("at byte 9219: data after the last record");
}

TEST_F(CifarReaderTest, RefusesALabelOutOfRange) {
  std::vector<uint8_t> bad = CifarFile();
  bad[3073] = 200;
  folder_.Write(std::string("cifar10/") + kTestBatch, bad);
  ExpectDamage("at byte 3073: label 200 of image 1");
}

TEST(LoadTest, NamesWhatItKnows) {
  EXPECT_THAT(Load("mnits", "test", {}).status().message(),
              AllOf(HasSubstr("'mnits' is unknown"), HasSubstr("mnist, fashion-mnist, cifar10")));
  EXPECT_THAT(Load("digits", "dev", {}).status().message(), HasSubstr("train, test"));
}

// The published files, where a machine has them.
TEST(PublishedTest, ReadsTheRealFiles) {
  if (std::getenv("BRAID_DATA") == nullptr) GTEST_SKIP() << "BRAID_DATA is not set";
  LoadOptions options;
  options.folders = DefaultFolders();
  int seen = 0;
  for (const char* name : {"mnist", "fashion-mnist"}) {
    const Result<Dataset> data = Load(name, "test", options);
    if (data.status().code() == StatusCode::kNotFound) continue;
    ASSERT_TRUE(data.ok()) << data.status().ToString();
    EXPECT_EQ(data->count, 10000);
    ++seen;
  }
  if (seen == 0) GTEST_SKIP() << "BRAID_DATA has neither MNIST nor Fashion-MNIST";
}

}  // namespace
}  // namespace braid::data
