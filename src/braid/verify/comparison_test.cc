// Test vectors written, read back and compared on every path; changed networks are found out.
#include "braid/verify/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "braid/model/file.h"
#include "braid/model/test_network.h"
#include "braid/runtime/testing/direct_network.h"
#include "braid/runtime/testing/random_network.h"
#include "braid/verify/recording.h"
#include "braid/verify/test_vectors.h"

namespace braid::verify {
namespace {

using model::Network;
using runtime::testing::RandomNetwork;

Network WithVectors(Network network) {
  const Result<AddedVectors> added = AddTestVectors(network, {});
  EXPECT_TRUE(added.ok()) << added.status().ToString();
  return network;
}

TEST(ComparisonTest, AllPathsGiveTheBitsOfTheFile) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    const Network network = WithVectors(RandomNetwork(seed, {.groups = 3, .exits = true}));
    const Result<std::vector<uint8_t>> bytes = model::Serialize(network);
    ASSERT_TRUE(bytes.ok()) << bytes.status().ToString();
    const Result<model::ModelFile> file = model::Parse(*bytes);
    ASSERT_TRUE(file.ok()) << file.status().ToString();
    EXPECT_EQ(file->network.test_images, network.test_images);
    const std::vector<kernels::Path> paths = kernels::SupportedPaths();
    const Result<Comparison> comparison = Compare(file->network, paths);
    ASSERT_TRUE(comparison.ok()) << comparison.status().ToString();
    EXPECT_FALSE(comparison->difference.has_value()) << seed;
    int64_t slots = 0;
    for (const model::SubNetwork& sub_network : network.sub_networks) {
      slots += static_cast<int64_t>(model::DigestSlots(network, sub_network.groups).size());
    }
    EXPECT_EQ(comparison->compared + comparison->skipped,
              slots * static_cast<int64_t>(paths.size()));
  }
}

// The recorded bytes against an oracle that shares no code with kernels and plans.
TEST(ComparisonTest, RecordsWhatTheDefinitionSays) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const Network network = RandomNetwork(seed, {.groups = 2, .exits = true});
    const std::vector<uint8_t> images = runtime::testing::RandomPixels(seed, network, 2);
    const Recorder recorder = *Recorder::Make(network, kernels::BestPath());
    for (int s = 0; s < static_cast<int>(network.sub_networks.size()); ++s) {
      const Result<std::vector<RecordedMap>> maps = recorder.Record(s, images);
      ASSERT_TRUE(maps.ok()) << maps.status().ToString();
      for (const RecordedMap& map : *maps) {
        const model::Layer& layer = network.layers[static_cast<size_t>(map.slot.layer)];
        if (layer.op != model::Op::kLinear) {
          const auto channels = layer.group_channels[static_cast<size_t>(map.slot.group)];
          EXPECT_EQ(map.bytes.size(), static_cast<size_t>(2 * layer.out_h * layer.out_w * channels));
          continue;
        }
        std::vector<uint8_t> expected;
        for (const int32_t logit : runtime::testing::DirectLogitsOfBatch(network, s, map.slot.layer,
                                                                         images, 2)) {
          for (int shift = 0; shift < 32; shift += 8) {
            expected.push_back((static_cast<uint32_t>(logit) >> shift) & 0xff);
          }
        }
        EXPECT_EQ(map.bytes, expected) << seed;
      }
    }
  }
}

TEST(ComparisonTest, MapsDoNotDependOnPathOrBatch) {
  const Network network = RandomNetwork(21, {.groups = 2, .max_layers = 9});
  const std::vector<uint8_t> images = runtime::testing::RandomPixels(5, network, 3);
  const size_t image = images.size() / 3;
  const Recorder scalar = *Recorder::Make(network, kernels::Path::kScalar);
  const std::vector<RecordedMap> together = *scalar.Record(0, images);
  for (const kernels::Path path : kernels::SupportedPaths()) {
    const Recorder recorder = *Recorder::Make(network, path);
    std::vector<RecordedMap> joined = *recorder.Record(0, std::span(images).first(image));
    for (const size_t i : {1, 2}) {
      const auto more = *recorder.Record(0, std::span(images).subspan(i * image, image));
      for (size_t m = 0; m < joined.size(); ++m) {
        joined[m].bytes.insert(joined[m].bytes.end(), more[m].bytes.begin(), more[m].bytes.end());
      }
    }
    for (size_t m = 0; m < joined.size(); ++m) {
      if (joined[m].bytes.empty()) continue;
      EXPECT_EQ(joined[m].bytes, together[m].bytes) << m;
    }
  }
}

// Someone changed a weight and put every digest of tensors and of the file right.
TEST(ComparisonTest, FindsAForgedWeightByItsLayerAndGroup) {
  Network network = WithVectors(model::MakeTestNetwork());
  // The second group's first channel of the dense layer reads channel 0 at every pixel.
  int8_t& weight = network.layers[model::kTestDense].weights[4 * 8];
  weight = static_cast<int8_t>(weight > 0 ? weight - 127 : weight + 127);
  const Result<model::ModelFile> file = model::Parse(*model::Serialize(network));
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  const Result<Comparison> comparison = Compare(file->network, kernels::SupportedPaths());
  ASSERT_TRUE(comparison.ok());
  ASSERT_TRUE(comparison->difference.has_value());
  EXPECT_EQ(comparison->difference->slot,
            (model::DigestSlot{.layer = model::kTestDense, .group = 1}));
  EXPECT_FALSE(comparison->difference->element.has_value()) << "nobody knows what was expected";
}

TEST(ComparisonTest, FindsAnotherBitOfADigest) {
  Network network = WithVectors(model::MakeTestNetwork());
  const auto slots = model::DigestSlots(network, network.sub_networks[2].groups);
  for (size_t slot = 0; slot < slots.size(); ++slot) {
    Network other = network;
    other.sub_networks[2].map_digests[slot * model::kShortDigestBytes + slot % 16] ^= 0x10;
    const Result<Comparison> comparison = Compare(other, kernels::SupportedPaths());
    ASSERT_TRUE(comparison.ok());
    ASSERT_TRUE(comparison->difference.has_value());
    EXPECT_EQ(comparison->difference->sub_network, 2);
    EXPECT_EQ(comparison->difference->slot, slots[slot]);
  }
}

// No path of ours gives other bits, so the search for the element is asked directly.
TEST(ComparisonTest, NamesTheFirstDifferentElement) {
  const Network network = model::MakeTestNetwork();
  const Recorder recorder = *Recorder::Make(network, kernels::Path::kScalar);
  const auto maps = *recorder.Record(2, runtime::testing::RandomPixels(1, network, 2));
  for (const RecordedMap& expected : maps) {
    const model::Layer& layer = network.layers[static_cast<size_t>(expected.slot.layer)];
    RecordedMap got = expected;
    const bool head = layer.op == model::Op::kLinear;
    const int channels =
        head ? 3 : layer.group_channels[static_cast<size_t>(expected.slot.group)];
    const int y = layer.out_h / 2, x = layer.out_w - 1, c = channels - 1;
    const size_t at = static_cast<size_t>(((1 * layer.out_h + y) * layer.out_w + x) * channels + c);
    const size_t byte = head ? 4 * at : at;
    got.bytes[byte] ^= 1;
    if (byte + 4 < got.bytes.size()) got.bytes.back() ^= 2;  // a later one
    const DifferentElement element = FirstDifferent(network, expected, got);
    EXPECT_EQ(element.image, 1);
    EXPECT_EQ(element.y, y);
    EXPECT_EQ(element.x, x);
    EXPECT_EQ(element.channel, c + (head ? 0 : layer.GroupOffset(expected.slot.group)));
    EXPECT_EQ(std::abs(element.expected - element.got), 1);
  }
}

TEST(ComparisonTest, SameNetworkSameVectors) {
  Network network = WithVectors(RandomNetwork(8));
  const std::vector<uint8_t> bytes = *model::Serialize(network);
  EXPECT_EQ(*model::Serialize(WithVectors(network)), bytes) << "written again";
  EXPECT_EQ(*model::Serialize(WithVectors(model::Parse(bytes)->network)), bytes) << "after reading";
}

TEST(ComparisonTest, ChoosesFromPicturesToo) {
  const Network plain = model::MakeTestNetwork();
  Network network = plain;
  const std::vector<uint8_t> pictures = runtime::testing::RandomPixels(3, plain, 20);
  ASSERT_TRUE(AddTestVectors(network, pictures).ok());
  EXPECT_TRUE(model::Validate(network).ok());
  EXPECT_EQ(AddTestVectors(network, std::span(pictures).first(35)).status().code(),
            StatusCode::kInvalidArgument);
}

TEST(ComparisonTest, SaysWhenThereIsNothingToCompare) {
  EXPECT_EQ(Compare(model::MakeTestNetwork(), kernels::SupportedPaths()).status().code(),
            StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace braid::verify
