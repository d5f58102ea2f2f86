// Reading and writing .braid files, damaged ones included.
#include "braid/model/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "braid/base/digest.h"
#include "braid/base/file.h"
#include "braid/base/rng.h"
#include "braid/model/test_network.h"
#include "braid/model/test_vectors.h"

namespace braid::model {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr size_t kHeaderBytes = 40;  // docs/model-format.md

// What an attacker does, who can compute digests too.
void FixDigest(std::vector<uint8_t>& bytes) {
  const Sha256Digest digest = Sha256(std::span(bytes).subspan(kHeaderBytes));
  std::copy(digest.begin(), digest.end(), bytes.begin() + 8);
}

// Where `values` lie in `bytes`.
size_t Find(const std::vector<uint8_t>& bytes, const std::vector<int8_t>& values) {
  const auto same = [](uint8_t a, int8_t b) { return a == static_cast<uint8_t>(b); };
  const auto at = std::search(bytes.begin(), bytes.end(), values.begin(), values.end(), same);
  EXPECT_NE(at, bytes.end());
  return static_cast<size_t>(at - bytes.begin());
}

void ExpectEqual(const LayerTables& a, const LayerTables& b) {
  EXPECT_EQ(a.bias, b.bias);
  EXPECT_EQ(a.mul, b.mul);
  EXPECT_EQ(a.clamp, b.clamp);
  EXPECT_EQ(a.shift, b.shift);
  EXPECT_EQ(a.shortcut_mul, b.shortcut_mul);
  EXPECT_EQ(a.shortcut_clamp, b.shortcut_clamp);
  EXPECT_EQ(a.shortcut_shift, b.shortcut_shift);
}

void ExpectEqual(const Layer& a, const Layer& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.op, b.op);
  EXPECT_EQ(a.input, b.input);
  EXPECT_EQ(a.more_inputs, b.more_inputs);
  EXPECT_EQ(a.filter_channels, b.filter_channels);
  EXPECT_EQ(a.shortcut, b.shortcut);
  EXPECT_EQ(a.window, b.window);
  EXPECT_EQ(a.activation, b.activation);
  EXPECT_EQ(a.dense, b.dense);
  EXPECT_EQ(a.out_h, b.out_h);
  EXPECT_EQ(a.out_w, b.out_w);
  EXPECT_EQ(a.group_channels, b.group_channels);
  EXPECT_EQ(a.weights, b.weights);
}

// Two images and digests of the right number: what the model layer knows of test vectors.
Network WithVectors(Network network) {
  network.test_images.resize(static_cast<size_t>(2 * network.input_h * network.input_w), 77);
  for (SubNetwork& sub_network : network.sub_networks) {
    sub_network.map_digests.resize(
        kShortDigestBytes * DigestSlots(network, sub_network.groups).size(), 5);
  }
  return network;
}

void ExpectEqual(const Network& a, const Network& b) {
  EXPECT_EQ(a.test_images, b.test_images);
  EXPECT_EQ(a.input_padding, b.input_padding);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.groups, b.groups);
  EXPECT_EQ(a.labels, b.labels);
  EXPECT_EQ(a.card, b.card);
  EXPECT_EQ(a.input_h, b.input_h);
  EXPECT_EQ(a.input_w, b.input_w);
  EXPECT_EQ(a.input_c, b.input_c);
  ASSERT_EQ(a.layers.size(), b.layers.size());
  for (size_t i = 0; i < a.layers.size(); ++i) ExpectEqual(a.layers[i], b.layers[i]);
  ASSERT_EQ(a.sub_networks.size(), b.sub_networks.size());
  for (size_t s = 0; s < a.sub_networks.size(); ++s) {
    EXPECT_EQ(a.sub_networks[s].groups, b.sub_networks[s].groups);
    EXPECT_EQ(a.sub_networks[s].map_digests, b.sub_networks[s].map_digests);
    ASSERT_EQ(a.sub_networks[s].tables.size(), b.sub_networks[s].tables.size());
    for (size_t l = 0; l < a.layers.size(); ++l) {
      ExpectEqual(a.sub_networks[s].tables[l], b.sub_networks[s].tables[l]);
    }
  }
  ASSERT_EQ(a.points.size(), b.points.size());
  for (size_t p = 0; p < a.points.size(); ++p) {
    EXPECT_EQ(a.points[p].name, b.points[p].name);
    EXPECT_EQ(a.points[p].terms, b.points[p].terms);
    EXPECT_EQ(a.points[p].head, b.points[p].head);
    EXPECT_EQ(a.points[p].accuracy, b.points[p].accuracy);
    EXPECT_EQ(a.points[p].macs_mean, b.points[p].macs_mean);
    EXPECT_EQ(a.points[p].macs_worst, b.points[p].macs_worst);
    EXPECT_EQ(a.points[p].weight_bytes, b.points[p].weight_bytes);
  }
}

TEST(ModelFileTest, ReadsBackWhatItWrites) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Network network = seed % 4 < 2 ? MakeTestNetwork(seed) : MakeFormsNetwork(seed);
    if (seed % 2 == 0) network = WithVectors(std::move(network));
    const Result<std::vector<uint8_t>> bytes = Serialize(network);
    ASSERT_TRUE(bytes.ok()) << bytes.status().ToString();
    const Result<ModelFile> file = Parse(*bytes);
    ASSERT_TRUE(file.ok()) << file.status().ToString();
    ExpectEqual(file->network, network);
    EXPECT_EQ(file->digest, ToHex(Sha256(*bytes)));
    EXPECT_EQ(*Serialize(file->network), *bytes) << "the same network gives the same bytes";
  }
}

TEST(ModelFileTest, DoesNotWriteABadNetwork) {
  Network network = MakeTestNetwork();
  network.layers[kTestFirst].weights.pop_back();
  EXPECT_EQ(Serialize(network).status().message(), "layers[1].weights: 71 values, expected 72");
}

TEST(ModelFileTest, GoesThroughTheFileSystem) {
  const auto directory =
      std::filesystem::temp_directory_path() / ("braid_model_test_" + std::to_string(::getpid()));
  std::filesystem::create_directories(directory);
  const std::string path = directory / "a.braid";
  const Network network = MakeTestNetwork();
  ASSERT_TRUE(WriteModelFile(network, path).ok());
  const Result<ModelFile> file = ReadModelFile(path);
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  ExpectEqual(file->network, network);

  ASSERT_TRUE(WriteFileAtomically(path, std::vector<uint8_t>{1, 2, 3}).ok());
  EXPECT_EQ(ReadModelFile(path).status().message(), path + ": not a .braid file");
  EXPECT_EQ(ReadModelFile(path + "x").status().code(), StatusCode::kNotFound);
  std::filesystem::remove_all(directory);
}

TEST(ModelFileTest, RefusesEveryTruncation) {
  const std::vector<uint8_t> bytes = *Serialize(MakeTestNetwork());
  for (size_t size = 0; size < bytes.size(); ++size) {
    // A copy of just that size, so that a read past the end shows under the address sanitizer.
    const std::vector<uint8_t> cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    ASSERT_FALSE(Parse(cut).ok()) << size;
  }
  std::vector<uint8_t> longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(Parse(longer).ok());
}

TEST(ModelFileTest, RefusesEveryFlippedBit) {
  std::vector<uint8_t> bytes = *Serialize(MakeTestNetwork());
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto mask = static_cast<uint8_t>(1 << (i % 8));
    bytes[i] ^= mask;
    ASSERT_FALSE(Parse(bytes).ok()) << i;
    bytes[i] ^= mask;
  }
  EXPECT_TRUE(Parse(bytes).ok());
}

// With the digest put right, a changed byte reaches the verifier, the decoder and Validate. Some
// changes make another valid network (a bias); then everything must hold again.
TEST(ModelFileTest, SurvivesEveryForgedByte) {
  const std::vector<uint8_t> good = *Serialize(WithVectors(MakeTestNetwork()));
  std::vector<uint8_t> bytes = good;
  int accepted = 0;
  for (size_t i = kHeaderBytes; i < bytes.size(); ++i) {
    for (const int change : {0x01, 0x80, 0xff}) {
      bytes[i] = static_cast<uint8_t>(good[i] ^ change);
      FixDigest(bytes);
      const Result<ModelFile> file = Parse(bytes);
      if (file.ok()) {
        ++accepted;
        ASSERT_TRUE(Serialize(file->network).ok()) << i;
      }
    }
    bytes[i] = good[i];
  }
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, static_cast<int>(bytes.size()));
}

TEST(ModelFileTest, SurvivesForgedWordsAndCuts) {
  const std::vector<uint8_t> good = *Serialize(WithVectors(MakeTestNetwork()));
  Rng rng(3);
  for (int round = 0; round < 20000; ++round) {
    std::vector<uint8_t> bytes = good;
    const int changes = static_cast<int>(rng.Between(1, 4));
    for (int i = 0; i < changes; ++i) {
      const size_t words = (bytes.size() - kHeaderBytes) / 4;
      const size_t at = kHeaderBytes + 4 * static_cast<size_t>(rng.Below(words));
      const uint32_t values[] = {0,
                                 1,
                                 4,
                                 0x7fffffff,
                                 0x80000000,
                                 0xffffffff,
                                 static_cast<uint32_t>(rng.Next()),
                                 static_cast<uint32_t>(rng.Below(bytes.size()))};
      std::memcpy(&bytes[at], &values[rng.Below(8)], 4);
    }
    if (rng.Below(4) == 0) {
      bytes.resize(kHeaderBytes + static_cast<size_t>(rng.Below(bytes.size() - kHeaderBytes)));
    }
    FixDigest(bytes);
    const Result<ModelFile> file = Parse(bytes);
    if (file.ok()) {
      ASSERT_TRUE(Validate(file->network).ok());
    }
  }
}

TEST(ModelFileTest, NamesTheDamagedTensor) {
  const Network network = MakeTestNetwork();
  std::vector<uint8_t> bytes = *Serialize(network);
  bytes[Find(bytes, network.layers[kTestDense].weights) + 10] ^= 4;
  const Status damaged = Parse(bytes).status();
  EXPECT_EQ(damaged.code(), StatusCode::kDataLoss);
  EXPECT_EQ(damaged.message(), "the content does not fit its SHA-256; damaged: layers[5].weights");

  FixDigest(bytes);
  EXPECT_EQ(Parse(bytes).status().message(),
            "layers[5].weights: the values do not fit their SHA-256");
}

TEST(ModelFileTest, SaysWhenTheDamageIsElsewhere) {
  std::vector<uint8_t> bytes = *Serialize(MakeTestNetwork());
  const std::string label = "dog";
  const auto at = std::search(bytes.begin(), bytes.end(), label.begin(), label.end());
  *at = 'f';
  EXPECT_THAT(Parse(bytes).status().message(), HasSubstr("outside the weights"));
  EXPECT_THAT(LocateDamage(bytes), testing::IsEmpty());
}

TEST(ModelFileTest, LocatesEveryFlippedBitOfEveryWeight) {
  const Network network = WithVectors(MakeTestNetwork());
  std::vector<uint8_t> bytes = *Serialize(network);
  for (size_t l = 0; l < network.layers.size(); ++l) {
    if (network.layers[l].weights.empty()) continue;
    const size_t first = Find(bytes, network.layers[l].weights);
    const std::string name = "layers[" + std::to_string(l) + "].weights";
    for (size_t i = 0; i < network.layers[l].weights.size(); ++i) {
      for (int bit = 0; bit < 8; bit += i % 7 == 0 ? 1 : 8) {
        bytes[first + i] ^= static_cast<uint8_t>(1 << ((bit + static_cast<int>(i)) % 8));
        ASSERT_EQ(Parse(bytes).status().code(), StatusCode::kDataLoss);
        ASSERT_THAT(LocateDamage(bytes), testing::ElementsAre(name)) << i;
        bytes[first + i] ^= static_cast<uint8_t>(1 << ((bit + static_cast<int>(i)) % 8));
      }
    }
  }
}

TEST(ModelFileTest, LocatesDamagedTables) {
  const Network network = MakeTestNetwork();
  std::vector<uint8_t> bytes = *Serialize(network);
  const std::vector<int32_t>& mul = network.sub_networks[2].tables[kTestGrouped].mul;
  std::vector<int8_t> pattern(mul.size() * 4);
  std::memcpy(pattern.data(), mul.data(), pattern.size());  // little-endian, as the file is
  bytes[Find(bytes, pattern) + 5] ^= 1;
  EXPECT_THAT(LocateDamage(bytes), testing::ElementsAre("sub_networks[2].tables[3]"));
  FixDigest(bytes);
  EXPECT_EQ(Parse(bytes).status().message(),
            "sub_networks[2].tables[3]: the values do not fit their digest");
}

TEST(ModelFileTest, NamesAllDamagedTensors) {
  const Network network = MakeTestNetwork();
  std::vector<uint8_t> bytes = *Serialize(network);
  for (const LayerIndex l : {kTestFirst, kTestDense}) {
    bytes[Find(bytes, network.layers[static_cast<size_t>(l)].weights)] ^= 0x40;
  }
  EXPECT_THAT(LocateDamage(bytes),
              testing::ElementsAre("layers[1].weights", "layers[5].weights"));
}

TEST(ModelFileTest, SaysWhatTheFrameLacks) {
  std::vector<uint8_t> bytes = *Serialize(MakeTestNetwork());
  EXPECT_EQ(Parse({}).status().message(), "not a .braid file");
  EXPECT_EQ(Parse(std::span(bytes).first(20)).status().message(),
            "truncated: 20 bytes, the header alone has 40");
  EXPECT_EQ(Parse(std::span(bytes).first(kHeaderBytes)).status().code(), StatusCode::kDataLoss);
  bytes[6] = 3;
  EXPECT_EQ(Parse(bytes).status().message(), "format version 3, this program reads versions 1 to 2");
  EXPECT_EQ(Parse(bytes).status().code(), StatusCode::kUnimplemented);
}

TEST(ModelFileTest, ReadsFromAnyAddress) {
  const std::vector<uint8_t> bytes = *Serialize(MakeTestNetwork());
  for (size_t shift = 1; shift < 8; ++shift) {
    std::vector<uint8_t> moved(shift);
    moved.insert(moved.end(), bytes.begin(), bytes.end());
    EXPECT_TRUE(Parse(std::span(moved).subspan(shift)).ok());
  }
}

}  // namespace
}  // namespace braid::model
