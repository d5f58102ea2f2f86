// braid-train export: a checkpoint with bounds at another rank than the training had.
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <nlohmann/json.hpp>

#include "braid/model/file.h"
#include "braid/training/commands.h"
#include "braid/training/session.h"
#include "braid/training/task.h"
#include "braid/training/trainer.h"

namespace braid::training {
namespace {

class ExportCommandTest : public testing::Test {
 protected:
  void SetUp() override {
    torch::set_num_threads(1);
    folder_ = testing::TempDir() + "/braid_export_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static constexpr int kImages = 256;

  std::string Trained() const {
    Recipe recipe = DefaultRecipe("static", "digits", "cnn");
    recipe.channels = 16;
    recipe.epochs = 2;
    recipe.batch = 32;
    recipe.bounded_from = 1;  // in floating point to the end
    const auto task = LoadTask("digits", 0, {.limit = kImages, .offline = true});
    EXPECT_TRUE(task.ok()) << task.status().ToString();
    const auto trainer = Trainer::Create(recipe, **task, torch::kCPU);
    EXPECT_TRUE(trainer.ok()) << trainer.status().ToString();
    TrainerOptions options;
    options.checkpoint = folder_ + "/checkpoint.safetensors";
    EXPECT_TRUE((*trainer)->Run(options).ok());
    return options.checkpoint;
  }

  // The model that the command writes.
  model::Network Exported(const std::string& checkpoint, const std::vector<std::string>& more) {
    const std::string out = folder_ + "/model.braid";
    CLI::App program;
    Work work;
    AddExportCommand(program, work);
    std::vector<std::string> arguments = {"export",  "--checkpoint", checkpoint, "--out",
                                          out,       "--limit",      std::to_string(kImages),
                                          "--offline"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes a vector
    program.parse(arguments);
    const Status status = work();
    EXPECT_TRUE(status.ok()) << status.ToString();
    auto file = model::ReadModelFile(out);
    EXPECT_TRUE(file.ok()) << file.status().ToString();
    return std::move(file->network);
  }

  // Multipliers of the first convolution: 127 steps of a smaller bound are finer, so they are larger.
  static int64_t SumOfMultipliers(const model::Network& network) {
    const std::vector<int32_t>& mul = network.sub_networks.back().tables[1].mul;
    return std::accumulate(mul.begin(), mul.end(), int64_t{0},
                           [](int64_t sum, int32_t m) { return sum + std::abs(m); });
  }

  std::string folder_;
};

TEST_F(ExportCommandTest, MeasuresTheBoundsAnewAtAnotherRank) {
  const std::string checkpoint = Trained();
  const model::Network as_trained = Exported(checkpoint, {});
  const model::Network same_rank = Exported(checkpoint, {"--bound-rank", "0.9997"});
  const model::Network lower = Exported(checkpoint, {"--bound-rank", "0.9"});

  // The rank of the recipe, measured again: the same bounds.
  EXPECT_EQ(SumOfMultipliers(same_rank), SumOfMultipliers(as_trained));
  EXPECT_GT(SumOfMultipliers(lower), SumOfMultipliers(as_trained));
  EXPECT_EQ(lower.layers[1].weights, as_trained.layers[1].weights);
  const auto rank = [](const model::Network& network) {
    return nlohmann::json::parse(network.card).at("recipe").at("bound_rank").get<double>();
  };
  EXPECT_EQ(rank(as_trained), 0.9997);
  EXPECT_EQ(rank(lower), 0.9);
}

}  // namespace
}  // namespace braid::training
