#include "braid/training/safetensors.h"

#include <gtest/gtest.h>

#include <string>

namespace braid::training {
namespace {

SafeTensors Example() {
  SafeTensors content;
  content.tensors["a"] = {"F32", {2, 3}, std::vector<uint8_t>(24, 1)};
  content.tensors["b/empty"] = {"I64", {0, 5}, {}};
  content.tensors["c"] = {"U8", {4}, {1, 2, 3, 4}};
  content.metadata["recipe"] = "{\"x\":1}";
  return content;
}

// A file with this header text and `data_bytes` zeros.
std::vector<uint8_t> FileWith(const std::string& header, size_t data_bytes) {
  std::vector<uint8_t> file;
  for (size_t i = 0; i < 8; ++i) file.push_back(static_cast<uint8_t>(header.size() >> (8 * i)));
  file.insert(file.end(), header.begin(), header.end());
  file.resize(file.size() + data_bytes, 0);
  return file;
}

TEST(SafeTensorsTest, ReadsBackWhatItWrote) {
  const SafeTensors content = Example();
  const auto file = WriteSafeTensors(content);
  ASSERT_TRUE(file.ok());
  const auto parsed = ParseSafeTensors(*file);
  ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
  EXPECT_EQ(parsed->metadata, content.metadata);
  ASSERT_EQ(parsed->tensors.size(), content.tensors.size());
  for (const auto& [name, tensor] : content.tensors) {
    const auto it = parsed->tensors.find(name);
    ASSERT_NE(it, parsed->tensors.end()) << name;
    EXPECT_EQ(it->second.dtype, tensor.dtype);
    EXPECT_EQ(it->second.shape, tensor.shape);
    EXPECT_EQ(it->second.bytes, tensor.bytes);
  }
}

TEST(SafeTensorsTest, RefusesToWriteATensorThatDoesNotFitItsShape) {
  SafeTensors content = Example();
  content.tensors["a"].shape = {2, 4};
  EXPECT_EQ(WriteSafeTensors(content).status().code(), StatusCode::kInvalidArgument);
}

TEST(SafeTensorsTest, RefusesAFileCutAtAnyByte) {
  const auto file = WriteSafeTensors(Example());
  ASSERT_TRUE(file.ok());
  for (size_t length = 0; length < file->size(); ++length) {
    const auto parsed = ParseSafeTensors(std::span(*file).first(length));
    EXPECT_EQ(parsed.status().code(), StatusCode::kDataLoss) << "cut at " << length;
  }
}

TEST(SafeTensorsTest, RefusesHostileHeadersAndNamesWhatIsWrong) {
  const struct {
    const char* header;
    size_t data;
    const char* message;
  } cases[] = {
      {"[]", 0, "no JSON object"},
      {"{\"a\":1}", 0, "tensor 'a'"},
      {"{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]}}", 2, "dtype"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "dimension"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "fit its shape"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", 4, "outside"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,4]}}", 8, "outside"},
      // 2^62 x 4 x 4 bytes wraps to 0.
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 0,
       "fit its shape"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
       "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}",
       6, "overlap"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 5, "no tensor names"},
      {"{\"__metadata__\":{\"x\":1}}", 0, "__metadata__"},
  };
  for (const auto& c : cases) {
    const auto parsed = ParseSafeTensors(FileWith(c.header, c.data));
    ASSERT_FALSE(parsed.ok()) << c.header;
    EXPECT_NE(parsed.status().message().find(c.message), std::string::npos)
        << c.header << ": " << parsed.status().message();
  }
}

}  // namespace
}  // namespace braid::training
