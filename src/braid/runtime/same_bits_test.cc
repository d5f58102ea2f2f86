// The same bits on every processor: logits of seeded networks on seeded images have the digest that
// the scalar path gave on x86-64. Runs on AArch64 too (./braid test aarch64).
#include <gtest/gtest.h>

#include "braid/base/digest.h"
#include "braid/base/rng.h"
#include "braid/model/layer_map.h"
#include "braid/runtime/execution.h"
#include "braid/runtime/testing/random_network.h"

namespace braid::runtime {
namespace {

constexpr int kImages = 16;

// Logits of the point on `path`, as little-endian bytes, hashed.
std::string LogitsDigest(const model::Network& network, const model::OperatingPoint& point,
                         kernels::Path path) {
  const auto model = PreparedModel::Prepare(network, GroupSet::First(network.groups), path).value();
  const auto pixels = testing::RandomPixels(1, network, kImages);
  const GroupSet groups = network.sub_networks[static_cast<size_t>(point.terms[0])].groups;
  const auto plan = Plan::Make(*model, {.groups = groups,
                                        .local = groups,
                                        .head = point.head,
                                        .max_batch = kImages,
                                        .exits = false})
                        .value();
  const auto execution = Execution::Create(*plan);
  EXPECT_TRUE(execution->Start(pixels, kImages).ok());
  while (execution->Resume() != Step::kDone) {
  }
  std::vector<int32_t> logits(execution->Logits().begin(), execution->Logits().end());
  FinishLogits(network, point.terms[0], point.head, logits);
  std::vector<uint8_t> bytes;
  for (const int32_t value : logits) {
    for (int shift = 0; shift < 32; shift += 8) {
      bytes.push_back(static_cast<uint8_t>(static_cast<uint32_t>(value) >> shift));
    }
  }
  return ToHex(Sha256(bytes)).substr(0, 16);
}

// The first network from `seed` on whose answer needs a layer that reads several maps, a depthwise one
// and one with filters of 4 channels.
model::Network NetworkOfForms(uint64_t seed) {
  for (;; ++seed) {
    model::Network network =
        testing::RandomNetwork(seed, {.groups = 2, .concatenations = true, .filters = true});
    const auto head = static_cast<model::LayerIndex>(network.layers.size()) - 1;
    const std::vector<bool> needed = model::NeededLayers(network, head);
    bool several = false, depthwise = false, four = false;
    for (size_t i = 0; i < needed.size(); ++i) {
      if (!needed[i]) continue;
      several |= !network.layers[i].more_inputs.empty();
      depthwise |= network.layers[i].filter_channels == 1;
      four |= network.layers[i].filter_channels == 4;
    }
    if (several && depthwise && four) return network;
  }
}

TEST(SameBitsTest, LogitsHaveTheDigestOfTheScalarPathOnX86) {
  const struct {
    model::Network network;
    const char* digest;
  } cases[] = {
      {testing::SmallImageNetwork(1), "46bce66e82093fff"},
      {testing::RandomNetwork(2), "01e2084a513a352f"},
      {testing::RandomNetwork(5), "f9f7c2759aca77a5"},
      {testing::RandomNetwork(11), "bd561e37c8a82fad"},
      {testing::ConcatenatingNetwork(1, 6), "77d0af6e99aa98ad"},
      {NetworkOfForms(1), "37e9cc70bd7cc0cf"},
  };
  for (const auto& c : cases) {
    for (const kernels::Path path : kernels::SupportedPaths()) {
      EXPECT_EQ(LogitsDigest(c.network, c.network.points.back(), path), c.digest)
          << c.network.name << " " << kernels::PathName(path);
    }
  }
}

}  // namespace
}  // namespace braid::runtime
