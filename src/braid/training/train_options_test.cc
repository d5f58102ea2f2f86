// Command lines of braid-train train, and the images that a validation holds out.
#include "braid/training/train_options.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

namespace braid::training {
namespace {

TrainOptions Parse(const std::string& arguments) {
  CLI::App app;
  TrainOptions options;
  AddTrainOptions(app, options);
  std::vector<std::string> reversed;
  std::istringstream words(arguments);
  for (std::string word; words >> word;) reversed.insert(reversed.begin(), word);
  app.parse(reversed);
  return options;
}

Recipe RecipeOfLine(const std::string& arguments) {
  const TrainOptions options = Parse(arguments);
  return RecipeOf(options, options.seeds.front());
}

TEST(TrainOptionsTest, SwitchesThatAreNotGivenKeepTheRecipe) {
  for (const char* family : {"static", "dynamic", "fluid2", "fluid4", "ensemble2"}) {
    for (const char* data : {"mnist", "fashion-mnist", "cifar10"}) {
      const Recipe expected = DefaultRecipe(family, data, "cnn");
      const Recipe given = RecipeOfLine(std::string("--recipe ") + family + " --data " + data);
      EXPECT_EQ(RecipeToJson(given), RecipeToJson(expected));
    }
  }
  EXPECT_TRUE(RecipeOfLine("--recipe dynamic").freeze);
  EXPECT_TRUE(RecipeOfLine("--recipe dynamic").write_back);
  EXPECT_TRUE(RecipeOfLine("--recipe static --data cifar10 --backbone resnet").flip);
}

TEST(TrainOptionsTest, SwitchesThatAreGivenDecide) {
  EXPECT_FALSE(RecipeOfLine("--recipe dynamic --no-freeze").freeze);
  EXPECT_FALSE(RecipeOfLine("--recipe dynamic --no-write-back").write_back);
  EXPECT_FALSE(RecipeOfLine("--data cifar10 --no-flip").flip);
  EXPECT_TRUE(RecipeOfLine("--data mnist --flip").flip);
  EXPECT_TRUE(RecipeOfLine("--recipe fluid2 --freeze --write-back").freeze);
}

TEST(TrainOptionsTest, TheCommandOfACardMeansItsRecipe) {
  const std::string program = "braid train ";
  std::vector<Recipe> recipes;
  for (const char* family : {"static", "dynamic", "fluid2", "fluid4", "alone3", "ensemble2"}) {
    for (const char* data : {"mnist", "fashion-mnist", "cifar10"}) {
      recipes.push_back(DefaultRecipe(family, data, "cnn"));
      recipes.push_back(DefaultRecipe(family, data, "resnet"));
    }
  }
  Recipe odd = DefaultRecipe("fluid2", "mnist", "cnn");
  odd.policy = Policy::kIncremental;
  odd.outer_iterations = 3;
  odd.write_back = false;
  odd.dense = false;
  odd.bounded_from = 0.5;
  odd.bound_rank = 0.999;
  odd.validation = 10000;
  odd.seed = 7;
  odd.clip = 0.5;
  recipes.push_back(odd);
  Recipe restoring = DefaultRecipe("static", "t91", "vdsr5");
  restoring.patch = 33;
  restoring.clip = 0;
  restoring.loss = "squared";
  recipes.push_back(restoring);
  for (const Recipe& recipe : recipes) {
    const std::string command = CommandOf(recipe);
    ASSERT_EQ(command.rfind(program, 0), 0u) << command;
    EXPECT_EQ(CommandOf(RecipeOfLine(command.substr(program.size()))), command);
    EXPECT_EQ(RecipeOfLine(command.substr(program.size())).freeze, recipe.freeze) << command;
    EXPECT_EQ(RecipeOfLine(command.substr(program.size())).validation, recipe.validation);
    EXPECT_EQ(RecipeOfLine(command.substr(program.size())).clip, recipe.clip) << command;
    EXPECT_EQ(RecipeOfLine(command.substr(program.size())).loss, recipe.loss) << command;
  }
}

MachineOptions Offline() {
  MachineOptions machine;
  machine.offline = true;
  return machine;
}

TEST(ValidationTest, HoldsTheLastTrainingImagesOut) {
  MachineOptions machine = Offline();
  const auto whole = LoadSplits("digits", 0, machine);
  ASSERT_TRUE(whole.ok()) << whole.status().ToString();
  const int held = 500, trained = whole->train.count - held;
  const auto splits = LoadSplits("digits", held, machine);
  ASSERT_TRUE(splits.ok()) << splits.status().ToString();
  EXPECT_EQ(splits->train.count, trained);
  EXPECT_EQ(splits->test.count, held);
  const std::string range =
      "[" + std::to_string(trained) + ":" + std::to_string(whole->train.count) + "]";
  EXPECT_EQ(splits->test.split, "train" + range);
  // Together they are the training set, in order: no image is in both, none of the test set in one.
  std::vector<uint8_t> images = splits->train.images, targets = splits->train.targets;
  images.insert(images.end(), splits->test.images.begin(), splits->test.images.end());
  targets.insert(targets.end(), splits->test.targets.begin(), splits->test.targets.end());
  EXPECT_EQ(images, whole->train.images);
  EXPECT_EQ(targets, whole->train.targets);
  EXPECT_NE(splits->test.digest, whole->test.digest);
  EXPECT_NE(splits->train.digest, whole->train.digest);
  // A limit shortens each and keeps them apart.
  machine.limit = 100;
  const auto limited = LoadSplits("digits", held, machine);
  ASSERT_TRUE(limited.ok()) << limited.status().ToString();
  EXPECT_EQ(limited->train.count, 100);
  EXPECT_EQ(limited->test.count, 100);
  EXPECT_EQ(limited->test.targets.front(), whole->train.targets[static_cast<size_t>(trained)]);
}

TEST(ValidationTest, RefusesToHoldEverythingOut) {
  EXPECT_EQ(LoadSplits("digits", 1 << 29, Offline()).status().code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace braid::training
