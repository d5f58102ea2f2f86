#include "braid/training/recipe.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "braid/training/backbone.h"
#include "braid/training/family.h"
#include "braid/training/fluid/stages.h"

namespace braid::training {
namespace {

TEST(RecipeTest, ReadsBackItsJson) {
  Recipe recipe = DefaultRecipe("dynamic", "fashion-mnist", "cnn");
  recipe.seed = 18446744073709551615ull;
  recipe.learning_rate = 0.00123;
  const auto read = RecipeFromJson(RecipeToJson(recipe));
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(RecipeToJson(*read), RecipeToJson(recipe));
  EXPECT_EQ(read->policy, Policy::kIncremental);
}

TEST(RecipeTest, RefusesUnknownKeysWrongTypesAndValuesOutOfRange) {
  for (const char* json :
       {"", "[]", "{\"colour\":1}", "{\"epochs\":\"8\"}", "{\"epochs\":0}", "{\"dense\":1}",
        "{\"seed\":-1}", "{\"policy\":\"greedy\"}", "{\"family\":\"fluid9\"}", "{\"channels\":20}",
        "{\"bounded_from\":2}", "{\"bits\":1}", "{\"bits\":9}",
        "{\"backbone\":\"densenet9\"}", "{\"backbone\":\"vrcnn\"}",
        "{\"backbone\":\"densenet8\",\"dense\":false}", "{\"bits\":4,\"backbone\":\"vdsr\"}", "{\"loss\":\"cubed\"}",
        "{\"learning_rate\":1e9}"}) {
    EXPECT_EQ(RecipeFromJson(json).status().code(), StatusCode::kInvalidArgument) << json;
  }
}

TEST(FamilyTest, FourDevicesHaveAWorkingNetworkForEverySetOfSurvivors) {
  const auto family = MakeFamily("fluid4");
  ASSERT_TRUE(family.ok());
  const std::set<GroupSet> sets(family->sub_networks.begin(), family->sub_networks.end());
  EXPECT_EQ(sets.size(), 15u);
  std::set<std::string> names;
  for (const auto& terms : family->sums) {
    GroupSet all;
    for (const GroupSet term : terms) {
      EXPECT_TRUE((all & term).empty()) << PointName(terms);
      EXPECT_TRUE(sets.count(term)) << PointName(terms);
      all = all | term;
    }
    EXPECT_TRUE(names.insert(PointName(terms)).second) << PointName(terms);
  }
  EXPECT_TRUE(names.count("g0,1,2,3"));
  EXPECT_TRUE(names.count("g0+1,2+3"));
  EXPECT_TRUE(names.count("g0+2,1+3"));
}

TEST(FamilyTest, NamesPointsByTheGrammar) {
  EXPECT_EQ(PointName({GroupSet(0b1111)}), "g0-3");
  EXPECT_EQ(PointName({GroupSet(0b0011)}), "g0+1");
  EXPECT_EQ(PointName({GroupSet(0b1011)}), "g0+1+3");
  EXPECT_EQ(PointName({GroupSet(0b0001), GroupSet(0b1110)}), "g0,1-3");
}

TEST(StagesTest, JointTrainingHasOneStageOfEverything) {
  const auto stages = MakeStages(*MakeFamily("fluid2"), DefaultRecipe("fluid2", "mnist", "cnn"));
  ASSERT_EQ(stages.size(), 1u);
  EXPECT_EQ(stages[0].subs.size(), 6u);
}

TEST(StagesTest, NestedIncrementalTrainingGoesUpwardsThenTrainsTheUpperNetworks) {
  Recipe recipe = DefaultRecipe("fluid2", "mnist", "cnn");
  recipe.policy = Policy::kIncremental;
  recipe.outer_iterations = 2;
  recipe.epochs = 4;
  const auto stages = MakeStages(*MakeFamily("fluid2"), recipe);
  ASSERT_EQ(stages.size(), 12u);
  const char* names[] = {"g0", "g0+1", "g0-2", "g0-3", "g2", "g2+3"};
  for (size_t i = 0; i < stages.size(); ++i) {
    EXPECT_EQ(stages[i].name, names[i % 6]);
    EXPECT_EQ(stages[i].epochs, 2);
    EXPECT_EQ(stages[i].bounds, i >= 6) << "bounds come with the last round only";
  }
}

TEST(StagesTest, FreezingKeepsTheBlocksOfEarlierSubNetworks) {
  Recipe recipe = DefaultRecipe("fluid2", "mnist", "cnn");
  recipe.policy = Policy::kIncremental;
  recipe.freeze = true;
  recipe.write_back = false;
  const auto stages = MakeStages(*MakeFamily("fluid2"), recipe);
  ASSERT_EQ(stages.size(), 6u);
  EXPECT_EQ(stages[2].trained, GroupSet(0b0111));
  EXPECT_EQ(stages[2].frozen, GroupSet(0b0011));
  EXPECT_TRUE(stages[5].trained.empty()) << "without write-back upper networks move no weight";
}

TEST(StagesTest, StepsOfFifteenSubNetworksReachEachOfThem) {
  const auto family = MakeFamily("fluid4");
  std::set<int> reached;
  Rng rng(1);
  for (int step = 0; step < 60; ++step) {
    const auto subs = SampleStep(*family, rng);
    EXPECT_EQ(family->sub_networks[static_cast<size_t>(subs.front())], GroupSet(0b1111));
    EXPECT_EQ(std::set<int>(subs.begin(), subs.end()).size(), subs.size());
    reached.insert(subs.begin(), subs.end());
  }
  EXPECT_EQ(reached.size(), 15u);
}

TEST(BackboneTest, RefusesSizesThatDoNotFit) {
  BackboneSpec spec;
  spec.channels = 24;
  EXPECT_EQ(MakeBackbone(spec).status().code(), StatusCode::kInvalidArgument);
  spec.channels = 32;
  spec.name = "transformer";
  EXPECT_EQ(MakeBackbone(spec).status().code(), StatusCode::kInvalidArgument);
}

TEST(BackboneTest, ResnetsHaveTheDepthOfTheirName) {
  BackboneSpec spec;
  spec.channels = 16;
  for (const auto& [name, weighted] : {std::pair{"resnet", 8}, std::pair{"resnet8", 8},
                                      std::pair{"resnet20", 20}, std::pair{"resnet38", 38}}) {
    spec.name = name;
    const auto network = MakeBackbone(spec);
    ASSERT_TRUE(network.ok()) << network.status().ToString();
    int way = 0, shortcuts = 0;
    for (const model::Layer& layer : network->layers) {
      // Convolutions of shortcuts lie beside the longest way.
      if (layer.name.ends_with("shortcut")) continue;
      way += layer.op == model::Op::kConv || layer.op == model::Op::kLinear ? 1 : 0;
      shortcuts += layer.shortcut != model::kNoLayer ? 1 : 0;
    }
    EXPECT_EQ(way, weighted) << name;
    EXPECT_EQ(shortcuts, (weighted - 2) / 2) << name;
    EXPECT_TRUE(BackboneNormalizes(name));
    EXPECT_EQ(DefaultRecipe("static", "cifar10", name).channels, 16);
  }
  for (const char* name : {"resnet2", "resnet9", "resnet116", "resnet020"}) {
    spec.name = name;
    EXPECT_FALSE(MakeBackbone(spec).ok()) << name;
  }
}

}  // namespace
}  // namespace braid::training
