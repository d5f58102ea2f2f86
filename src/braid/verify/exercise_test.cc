// What images exercise, and that what counts as exercised shows when it changes.
#include "braid/verify/exercise.h"

#include <gtest/gtest.h>

#include "braid/model/file.h"
#include "braid/model/test_network.h"
#include "braid/runtime/testing/random_network.h"
#include "braid/verify/comparison.h"
#include "braid/verify/recording.h"
#include "braid/verify/test_vectors.h"

namespace braid::verify {
namespace {

using model::Network;
using runtime::testing::RandomNetwork;

constexpr kernels::Path kScalar[] = {kernels::Path::kScalar};

// Live channels of one sub-network, by a second way: one channel at a time, from the definition.
std::vector<bool> LiveChannels(const Network& network, int sub_network, size_t layer) {
  const Recorder recorder = *Recorder::Make(network, kernels::Path::kScalar);
  std::vector<bool> live(static_cast<size_t>(network.layers[layer].Channels()), false);
  const auto maps = recorder.Record(sub_network, network.test_images);
  for (const RecordedMap& map : *maps) {
    if (static_cast<size_t>(map.slot.layer) != layer) continue;
    const auto channels = static_cast<size_t>(
        network.layers[layer].group_channels[static_cast<size_t>(map.slot.group)]);
    const auto first = static_cast<size_t>(network.layers[layer].GroupOffset(map.slot.group));
    for (size_t i = 0; i < map.bytes.size(); ++i) {
      const int value = static_cast<int8_t>(map.bytes[i]);
      if (value != 0 && value != 127 && value != -127) live[first + i % channels] = true;
    }
  }
  return live;
}

TEST(ExerciseTest, CountsChannelsAndWeightsOfTheTestNetwork) {
  Network network = model::MakeTestNetwork();
  const Exercise none(network);
  const ExerciseCounts before = none.Count();
  // Of the grouped layer only the blocks inside of a group count.
  EXPECT_EQ(before.weights, 8 * 9 + 3 * 36 * 8 + 2 * 4 * 9 * 4 + 12 * 8 + 3 * 12);
  // {0}, {1}, {0,1}: first, exit, grouped, dense, sum, last.
  EXPECT_EQ(before.table_channels,
            (4 + 4 + 8) + 3 * 3 + (4 + 4 + 8) + (4 + 8 + 12) + (4 + 8 + 12) + 3 * 3);
  EXPECT_EQ(before.exercised_weights, 0);
  EXPECT_EQ(before.exercised_table_channels, 2 * 3 * 3) << "logits only";
  const Result<AddedVectors> added = AddTestVectors(network, {});
  ASSERT_TRUE(added.ok()) << added.status().ToString();
  EXPECT_GT(added->exercise.exercised_weights, before.weights / 2);
  EXPECT_LE(added->exercise.exercised_weights, before.weights);
  EXPECT_LE(added->exercise.exercised_table_channels, before.table_channels);
}

TEST(ExerciseTest, CountsWhatFiltersOfFewChannelsAndSeveralMapsHold) {
  Network network = model::MakeFormsNetwork();
  const ExerciseCounts before = Exercise(network).Count();
  EXPECT_EQ(before.weights,
            8 * 9 + 3 * 36 * 8 + 8 * 9 * (4 + 1) + 8 * 4 + 12 * 8 + 12 * 9 * (12 + 8) + 3 * 12);
  const Result<AddedVectors> added = AddTestVectors(network, {});
  ASSERT_TRUE(added.ok()) << added.status().ToString();
  EXPECT_GT(added->exercise.exercised_weights, before.weights / 2);
  EXPECT_LE(added->exercise.exercised_weights, before.weights);
}

TEST(ExerciseTest, GainIsWhatAddAdds) {
  Network network = RandomNetwork(3);
  ASSERT_TRUE(AddTestVectors(network, {}).ok());
  const Recorder recorder = *Recorder::Make(network, kernels::Path::kScalar);
  Exercise exercise(network);
  const std::vector<RecordedMap> maps = *recorder.Record(0, network.test_images);
  const int64_t gain = exercise.Gain(0, maps);
  EXPECT_GT(gain, 0);
  EXPECT_EQ(exercise.Add(0, maps), gain);
  EXPECT_EQ(exercise.Gain(0, maps), 0);
  EXPECT_EQ(exercise.Add(0, maps), 0);
}

// Turning the sign of the multiplier of any live channel changes a digest; of a bias, moving it by
// more than the layer's whole range does.
TEST(ExerciseTest, EveryLiveChannelsTablesShowInTheDigests) {
  int changed = 0;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Network network = RandomNetwork(seed, {.groups = 2,
                                           .exits = true,
                                           .concatenations = seed == 3,
                                           .filters = seed == 3,
                                           .max_side = 9});
    ASSERT_TRUE(AddTestVectors(network, {}).ok());
    ASSERT_TRUE(model::Validate(network).ok());
    for (size_t s = 0; s < network.sub_networks.size(); ++s) {
      for (size_t l = 1; l < network.layers.size(); ++l) {
        if (!network.layers[l].Divided() || network.layers[l].op == model::Op::kMaxPool) continue;
        const std::vector<bool> live = LiveChannels(network, static_cast<int>(s), l);
        for (size_t c = 0; c < live.size(); ++c) {
          if (!live[c]) continue;
          Network other = network;
          int32_t& mul = other.sub_networks[s].tables[l].mul[c];
          mul = -mul;
          const Result<Comparison> comparison = Compare(other, kScalar);
          ASSERT_TRUE(comparison.ok()) << comparison.status().ToString();
          ASSERT_TRUE(comparison->difference.has_value()) << seed << " " << s << " " << l;
          EXPECT_EQ(comparison->difference->sub_network, static_cast<int>(s));
          EXPECT_EQ(comparison->difference->slot.layer, static_cast<model::LayerIndex>(l));
          ++changed;
        }
      }
    }
  }
  EXPECT_GT(changed, 50);
}

}  // namespace
}  // namespace braid::verify
