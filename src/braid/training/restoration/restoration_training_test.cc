// Whole trainings of small restoring networks on generated pictures.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "braid/base/file.h"
#include "braid/base/rng.h"
#include "braid/data/image_file.h"
#include "braid/model/file.h"
#include "braid/model/restoration.h"
#include "braid/training/restoration/psnr_evaluation.h"
#include "braid/training/restoration/restoration.h"
#include "braid/training/trainer.h"

namespace braid::training {
namespace {

// Gray rectangles with sharp edges: what interpolation blurs and a network can sharpen.
std::vector<uint8_t> Rectangles(int height, int width, Rng& rng) {
  std::vector<uint8_t> pixels(static_cast<size_t>(height * width), 128);
  for (int r = 0; r < 30; ++r) {
    const auto value = static_cast<uint8_t>(rng.Below(256));
    const auto top = static_cast<int>(rng.Below(static_cast<uint64_t>(height)));
    const auto left = static_cast<int>(rng.Below(static_cast<uint64_t>(width)));
    const int bottom = std::min<int>(height, top + 4 + static_cast<int>(rng.Below(24)));
    const int right = std::min<int>(width, left + 4 + static_cast<int>(rng.Below(24)));
    for (int y = top; y < bottom; ++y) {
      for (int x = left; x < right; ++x) pixels[static_cast<size_t>(y * width + x)] = value;
    }
  }
  return pixels;
}

class RestorationTrainingTest : public testing::Test {
 protected:
  void SetUp() override {
    torch::set_num_threads(1);
    folder_ = testing::TempDir() + "/braid_restoration_training";
    std::filesystem::remove_all(folder_);
    Rng rng(11);
    for (const std::string set : {"T91", "Set5", "Set14", "Classic5"}) {
      for (int i = 0; i < (set == "T91" ? 6 : 2); ++i) {
        std::vector<uint8_t> pixels = Rectangles(72, 60, rng);
        Put("sr/" + set, i, pixels);
        // Noise in the place of a codec's artefacts.
        for (uint8_t& p : pixels) {
          p = static_cast<uint8_t>(
              std::clamp<int>(p + static_cast<int>(rng.Below(25)) - 12, 0, 255));
        }
        Put("hevc/qp37/" + set, i, pixels);
      }
    }
    ASSERT_EQ(setenv("BRAID_DATA", folder_.c_str(), 1), 0);
    recipe_ = DefaultRecipe("static", "t91", "vdsr4");
    recipe_.channels = 16;
    recipe_.epochs = 1;
    recipe_.batch = 4;
    recipe_.patch = 24;
    recipe_.learning_rate = 4e-3;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Put(const std::string& set, int number, const std::vector<uint8_t>& pixels) {
    std::filesystem::create_directories(folder_ + "/" + set);
    const auto png = data::EncodePng(pixels, {72, 60, 1});
    ASSERT_TRUE(png.ok());
    const std::string path = folder_ + "/" + set + "/" + std::to_string(number) + ".png";
    ASSERT_TRUE(WriteFileAtomically(path, *png).ok());
  }

  std::unique_ptr<Task> Load(int validation = 0, const std::string& name = "t91") {
    auto task = LoadTask(name, validation, MachineOptions());
    EXPECT_TRUE(task.ok()) << task.status().ToString();
    return std::move(*task);
  }

  std::string folder_;
  Recipe recipe_;
};

TEST_F(RestorationTrainingTest, PassesBicubicInterpolationWithRoundedLayersToo) {
  const auto task = Load();
  const auto trainer = Trainer::Create(recipe_, *task, torch::kCPU);
  ASSERT_TRUE(trainer.ok()) << trainer.status().ToString();
  ASSERT_TRUE((*trainer)->Run({}).ok());
  FinishOptions options;
  options.path = folder_ + "/tiny.braid";
  const auto result = task->Finish(**trainer, recipe_, options);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  const auto json = nlohmann::json::parse(*result);
  ASSERT_EQ(json["psnr"].size(), 6u);
  for (const auto& row : json["psnr"]) {
    EXPECT_GT(row["float"].get<double>(), row["bicubic"].get<double>() + 0.3) << row.dump();
    EXPECT_NEAR(row["integer"].get<double>(), row["float"].get<double>(), 0.1) << row.dump();
  }
  const auto file = model::ReadModelFile(options.path);
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_EQ(*model::RestorationRadius(file->network), 4);
  EXPECT_EQ(nlohmann::json::parse(file->network.card)["psnr"], json["psnr"]);
}

TEST_F(RestorationTrainingTest, AResumedTrainingEndsWithTheSameNumbers) {
  const auto task = Load(2);
  const auto straight = Trainer::Create(recipe_, *task, torch::kCPU);
  ASSERT_TRUE(straight.ok());
  ASSERT_TRUE((*straight)->Run({}).ok());
  std::atomic<bool> stop{false};
  TrainerOptions options;
  options.checkpoint = folder_ + "/checkpoint.safetensors";
  options.stop = &stop;
  options.report_every = 1;
  options.report = [&](const Progress& progress) { stop = progress.step >= 13; };
  const auto first = Trainer::Create(recipe_, *task, torch::kCPU);
  ASSERT_TRUE(first.ok());
  ASSERT_EQ((*first)->Run(options).code(), StatusCode::kCancelled);
  const auto second = Trainer::Create(recipe_, *task, torch::kCPU);
  ASSERT_TRUE(second.ok());
  ASSERT_TRUE((*second)->Restore(options.checkpoint).ok());
  ASSERT_TRUE((*second)->Run({}).ok());
  EXPECT_TRUE(torch::equal((*second)->net().parameters().values(),
                           (*straight)->net().parameters().values()));
}

TEST_F(RestorationTrainingTest, HoldsOutTheLastTrainingImages) {
  const auto json = nlohmann::json::parse(Load(2)->DescribeData());
  EXPECT_EQ(json["train_split"], "t91[0:4]");
  ASSERT_EQ(json["test_sets"].size(), 1u);
  EXPECT_EQ(json["test_sets"][0]["set"], "t91[4:6]");
}

// The integers of the file beside the rounded float network, pixel by pixel.
TEST_F(RestorationTrainingTest, IntegersRestoreAsTheRoundedFloatNetworkDoes) {
  const auto task = Load();
  recipe_.family = "dynamic";
  recipe_.policy = Policy::kJoint;
  const auto trainer = Trainer::Create(recipe_, *task, torch::kCPU);
  ASSERT_TRUE(trainer.ok()) << trainer.status().ToString();
  ASSERT_TRUE((*trainer)->Run({}).ok());
  FinishOptions options;
  options.path = folder_ + "/tiny.braid";
  ASSERT_TRUE(task->Finish(**trainer, recipe_, options).ok());
  const auto file = model::ReadModelFile(options.path);
  ASSERT_TRUE(file.ok());
  const auto sets = std::vector{*data::LoadDegradedSet("set5", {folder_})};
  ASSERT_EQ(file->network.points.size(), 4u);
  for (int sub = 0; sub < 4; ++sub) {
    const auto integer =
        IntegerPsnr(file->network, file->network.points[static_cast<size_t>(sub)], sets);
    const auto rounded = FloatPsnr((*trainer)->net(), sub, sets);
    ASSERT_TRUE(integer.ok() && rounded.ok());
    for (size_t i = 0; i < integer->size(); ++i) {
      EXPECT_NEAR((*integer)[i].restored, (*rounded)[i].restored, 0.02) << sub << " " << i;
    }
  }
}

// Convolutions that read two maps each: VRCNN, on coded images.
TEST_F(RestorationTrainingTest, ReducesArtefactsWithConcatenatedMaps) {
  const auto task = Load(0, "t91-hevc37");
  Recipe recipe = DefaultRecipe("static", "t91-hevc37", "vrcnn");
  recipe.epochs = 1;
  recipe.batch = 4;
  recipe.patch = 24;
  recipe.learning_rate = 2e-3;
  const auto trainer = Trainer::Create(recipe, *task, torch::kCPU);
  ASSERT_TRUE(trainer.ok()) << trainer.status().ToString();
  ASSERT_TRUE((*trainer)->Run({}).ok());
  BraidedNet& net = (*trainer)->net();
  EXPECT_EQ(net.bound(0, 2), net.bound(0, 3)) << "read together by conv3";
  EXPECT_EQ(net.bound(0, 4), net.bound(0, 5)) << "read together by the head";
  EXPECT_NE(net.bound(0, 1), net.bound(0, 2));
  FinishOptions options;
  options.path = folder_ + "/tiny.braid";
  const auto result = task->Finish(**trainer, recipe, options);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  const auto psnr = nlohmann::json::parse(*result)["psnr"];
  ASSERT_EQ(psnr.size(), 2u);
  EXPECT_EQ(psnr[0]["set"], "classic5-hevc37");
  for (const auto& row : psnr) {
    EXPECT_EQ(row["qp"], 37);
    EXPECT_GT(row["float"].get<double>(), row["decoded"].get<double>() + 2) << row.dump();
    EXPECT_NEAR(row["integer"].get<double>(), row["float"].get<double>(), 0.1) << row.dump();
  }
  const auto file = model::ReadModelFile(options.path);
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_EQ(*model::RestorationRadius(file->network), 2 + 2 + 1 + 1);
  const std::vector sets = {*data::LoadDegradedSet("set14-hevc37", {folder_})};
  const auto integer = IntegerPsnr(file->network, file->network.points[0], sets);
  const auto rounded = FloatPsnr(net, 0, sets);
  ASSERT_TRUE(integer.ok() && rounded.ok());
  EXPECT_NEAR(integer->front().restored, rounded->front().restored, 0.02);
}

// A fine quantization leaves most pixels as they were. Nothing tells the others here, so that the
// least absolute error is to change none, and the least squared one to move all by the mean.
TEST_F(RestorationTrainingTest, TheSquaredErrorMendsWhatTheAbsoluteOneLeaves) {
  Rng rng(5);
  for (const std::string set : {"T91", "Set14", "Classic5"}) {
    for (int i = 0; i < (set == "T91" ? 6 : 2); ++i) {
      std::vector<uint8_t> pixels(72 * 60);
      for (uint8_t& p : pixels) p = static_cast<uint8_t>(60 + rng.Below(120));
      Put("sr/" + set, i, pixels);
      for (uint8_t& p : pixels) p = static_cast<uint8_t>(p + (rng.Below(10) < 3 ? 4 : 0));
      Put("hevc/qp22/" + set, i, pixels);
    }
  }
  const auto task = Load(0, "t91-hevc22");
  const auto sets = std::vector{*data::LoadDegradedSet("classic5-hevc22", {folder_})};
  const auto gain = [&](const std::string& loss) {
    Recipe recipe = DefaultRecipe("static", "t91-hevc22", "vrcnn");
    EXPECT_EQ(recipe.loss, "squared");
    recipe.loss = loss;
    recipe.epochs = 1;
    recipe.batch = 4;
    recipe.patch = 24;
    const auto trainer = Trainer::Create(recipe, *task, torch::kCPU);
    EXPECT_TRUE(trainer.ok() && (*trainer)->Run({}).ok());
    const auto psnr = FloatPsnr((*trainer)->net(), 0, sets);
    EXPECT_TRUE(psnr.ok());
    return psnr->front().restored - psnr->front().degraded;
  };
  EXPECT_GT(gain("squared"), 1);
  EXPECT_LT(gain("absolute"), 0.5);
}

TEST_F(RestorationTrainingTest, RefusesClassifiersAndSums) {
  const auto task = Load();
  recipe_.family = "fluid2";
  EXPECT_EQ(Trainer::Create(recipe_, *task, torch::kCPU).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(
      Trainer::Create(DefaultRecipe("static", "t91", "cnn"), *task, torch::kCPU).status().code(),
      StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace braid::training
