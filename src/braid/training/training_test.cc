// Whole trainings on small generated images: the loop, checkpoints, resuming, export.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "braid/base/file.h"
#include "braid/base/rng.h"
#include "braid/model/file.h"
#include "braid/training/evaluate.h"
#include "braid/training/export_run.h"
#include "braid/training/integer_evaluation.h"
#include "braid/training/quantization/exporter.h"
#include "braid/training/quantization/straight_through.h"
#include "braid/training/trainer.h"

namespace braid::training {
namespace {

// 16x16 images of four classes: which quadrant is bright, under noise.
data::Dataset Quadrants(int count, int channels, uint64_t seed) {
  data::Dataset dataset;
  dataset.name = "quadrants";
  dataset.split = "train";
  dataset.count = count;
  dataset.height = dataset.width = 16;
  dataset.channels = channels;
  dataset.labels = {"nw", "ne", "sw", "se"};
  Rng rng(seed);
  for (int i = 0; i < count; ++i) {
    const auto label = static_cast<uint8_t>(rng.Below(4));
    dataset.targets.push_back(label);
    for (int y = 0; y < 16; ++y) {
      for (int x = 0; x < 16 * channels; ++x) {
        const int quadrant = (y / 8) * 2 + x / channels / 8;
        const double value = (quadrant == label ? 150 : 90) + 50 * rng.Normal();
        dataset.images.push_back(static_cast<uint8_t>(std::clamp(value, 0.0, 255.0)));
      }
    }
  }
  data::SetDigest(dataset);
  return dataset;
}

Recipe Tiny(const std::string& family, const std::string& backbone = "cnn") {
  Recipe recipe = DefaultRecipe(family, "mnist", backbone);
  recipe.channels = 16;
  recipe.epochs = 3;
  recipe.batch = 32;
  return recipe;
}

class TrainingTest : public testing::Test {
 protected:
  void SetUp() override {
    torch::set_num_threads(1);
    folder_ = testing::TempDir() + "/braid_training_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Trainer> Trained(const Recipe& recipe, const data::Dataset& data) {
    auto trainer = Trainer::Create(recipe, data, torch::kCPU);
    EXPECT_TRUE(trainer.ok()) << trainer.status().ToString();
    EXPECT_TRUE((*trainer)->Run({}).ok());
    return std::move(*trainer);
  }

  std::string folder_;
};

// The integers must answer as the rounded float network does: the same logits up to a rounding of
// activations here and there, and so the same classes but for near ties.
void ExpectParity(Trainer& trainer, const data::Dataset& test) {
  std::vector<torch::Tensor> inputs = {trainer.net().Input(PixelTensor(test, 0, test.count))};
  const auto network = ExportNetwork(trainer.net(), trainer.family(), inputs);
  ASSERT_TRUE(network.ok()) << network.status().ToString();
  model::Network complete = *network;
  complete.name = "tiny";
  complete.labels = test.labels;
  complete.card = "{}";
  ASSERT_TRUE(model::Validate(complete).ok()) << model::Validate(complete).ToString();
  torch::NoGradGuard no_grad;
  for (int sub = 0; sub < trainer.net().sub_network_count(); ++sub) {
    const auto integers = IntegerLogits(complete, sub, test);
    ASSERT_TRUE(integers.ok()) << integers.status().ToString();
    trainer.net().NewStep();
    const torch::Tensor reals = trainer.net().Forward(sub, inputs[0], false).contiguous();
    const torch::Tensor scaled =
        torch::from_blob(const_cast<int32_t*>(integers->data()), reals.sizes(), torch::kInt32)
            .to(torch::kFloat32) *
        kLogitStep;
    const double spread = reals.std().item<double>();
    const double error = (scaled - reals).abs().mean().item<double>();
    EXPECT_LT(error, 0.02 * spread + 0.01) << "sub-network " << sub;
    const double agree =
        scaled.argmax(1).eq(reals.argmax(1)).to(torch::kFloat32).mean().item<double>();
    EXPECT_GE(agree, 0.98) << "sub-network " << sub;
  }
}

TEST_F(TrainingTest, LearnsInEverySubNetworkAndExportsWhatItLearned) {
  const data::Dataset train = Quadrants(1024, 1, 1), test = Quadrants(256, 1, 2);
  const auto trainer = Trained(Tiny("fluid4"), train);
  for (const PointAccuracy& point : EvaluateFloat(trainer->net(), trainer->family(), test)) {
    EXPECT_GT(point.accuracy, 0.9) << point.name;
  }
  ExpectParity(*trainer, test);
  const auto exported = ExportRun(trainer->net(), trainer->family(), Tiny("fluid4"), train, test,
                                  "tiny", "braid train", 1);
  ASSERT_TRUE(exported.ok()) << exported.status().ToString();
  for (const auto& point : exported->network.points) EXPECT_GT(point.accuracy, 0.9) << point.name;
  const auto bytes = model::Serialize(exported->network);
  ASSERT_TRUE(bytes.ok());
  EXPECT_TRUE(model::Parse(*bytes).ok());
}

TEST_F(TrainingTest, ExportsResidualNetworksWithFoldedNormalization) {
  const data::Dataset train = Quadrants(512, 3, 1), test = Quadrants(200, 3, 2);
  // fluid4 has sub-networks whose groups are not adjacent.
  for (const char* family : {"fluid2", "fluid4"}) {
    SCOPED_TRACE(family);
    const auto trainer = Trained(Tiny(family, "resnet"), train);
    ExpectParity(*trainer, test);
  }
}

TEST_F(TrainingTest, ExportsDenseBlocksWhoseMapsShareABound) {
  const data::Dataset train = Quadrants(384, 3, 1), test = Quadrants(200, 3, 2);
  Recipe recipe = Tiny("fluid4", "densenet11");  // also groups that are not adjacent
  recipe.epochs = 2;
  const auto trainer = Trained(recipe, train);
  const BraidedNet& net = trainer->net();
  // stem, two layers, 1x1; two layers, ...
  EXPECT_EQ(net.skeleton().layers[4].more_inputs, (std::vector<model::LayerIndex>{2, 3}));
  EXPECT_EQ(net.bound(0, 1), net.bound(0, 2));
  EXPECT_EQ(net.bound(0, 1), net.bound(0, 3));
  EXPECT_NE(net.bound(0, 1), net.bound(0, 4)) << "of the next block";
  ExpectParity(*trainer, test);
}

TEST_F(TrainingTest, ExportsGroupedConvolutions) {
  const data::Dataset train = Quadrants(512, 1, 1), test = Quadrants(200, 1, 2);
  Recipe recipe = Tiny("fluid2");
  recipe.dense = false;
  ExpectParity(*Trained(recipe, train), test);
}

TEST_F(TrainingTest, RefusesToExportBeforeTheBoundsAreKnown) {
  const data::Dataset train = Quadrants(64, 1, 1);
  const auto trainer = Trainer::Create(Tiny("static"), train, torch::kCPU);
  ASSERT_TRUE(trainer.ok());
  const auto network = ExportNetwork((*trainer)->net(), (*trainer)->family(),
                                     {(*trainer)->net().Input(PixelTensor(train, 0, 8))});
  EXPECT_EQ(network.status().code(), StatusCode::kFailedPrecondition);
}

TEST_F(TrainingTest, AResumedTrainingEndsWithTheSameNumbers) {
  const data::Dataset train = Quadrants(512, 3, 1);
  const Recipe recipe = Tiny("fluid2", "resnet");
  const auto straight = Trained(recipe, train);

  std::atomic<bool> stop{false};
  const std::string path = folder_ + "/checkpoint.safetensors";
  TrainerOptions options;
  options.checkpoint = path;
  options.stop = &stop;
  options.report_every = 1;
  // Stopped twice: in the middle of an epoch, and after rounding has begun.
  for (const int last : {21, 41, 1 << 30}) {
    auto trainer = Trainer::Create(recipe, train, torch::kCPU);
    ASSERT_TRUE(trainer.ok());
    if (last != 21) {
      const Status restored = (*trainer)->Restore(path);
      ASSERT_TRUE(restored.ok()) << restored.ToString();
    }
    stop = false;
    options.report = [&](const Progress& progress) { stop = progress.step >= last; };
    const Status status = (*trainer)->Run(options);
    if (last < 1000) {
      EXPECT_EQ(status.code(), StatusCode::kCancelled);
      continue;
    }
    ASSERT_TRUE(status.ok()) << status.ToString();
    EXPECT_TRUE(torch::equal((*trainer)->net().parameters().values(),
                             straight->net().parameters().values()));
    for (int sub = 0; sub < straight->net().sub_network_count(); ++sub) {
      EXPECT_EQ((*trainer)->net().bound(sub, 1), straight->net().bound(sub, 1));
    }
  }
}

TEST_F(TrainingTest, AStoppedTrainingCanBeExportedAsItStands) {
  const data::Dataset train = Quadrants(512, 3, 1), test = Quadrants(200, 3, 2);
  const Recipe recipe = Tiny("fluid2", "resnet");
  auto trainer = Trainer::Create(recipe, train, torch::kCPU);
  ASSERT_TRUE(trainer.ok());
  std::atomic<bool> stop{false};
  TrainerOptions options;
  options.stop = &stop;
  options.report_every = 1;
  options.report = [&](const Progress& progress) { stop = progress.step >= 21; };
  ASSERT_EQ((*trainer)->Run(options).code(), StatusCode::kCancelled);
  EXPECT_FALSE((*trainer)->net().bounded(0));
  (*trainer)->BoundAll();
  ExpectParity(**trainer, test);
}

TEST_F(TrainingTest, FreezingLeavesTheLowerNetworksBlocksAlone) {
  const data::Dataset train = Quadrants(256, 1, 1);
  Recipe recipe = Tiny("dynamic");
  recipe.epochs = 1;
  auto trainer = Trainer::Create(recipe, train, torch::kCPU);
  ASSERT_TRUE(trainer.ok());
  const auto block = [&] {  // conv2, group 0 from group 0
    return (*trainer)->net().weight(2).narrow(0, 0, 4).narrow(1, 0, 4).clone();
  };
  const auto whole = [&] { return (*trainer)->net().weight(2).clone(); };
  torch::Tensor block_after, whole_after;
  TrainerOptions options;
  options.report_every = 1;
  options.report = [&](const Progress& progress) {
    if (progress.stage == "g0") {
      block_after = block();
      whole_after = whole();
    }
  };
  ASSERT_TRUE((*trainer)->Run(options).ok());
  EXPECT_TRUE(torch::equal(block(), block_after));
  EXPECT_FALSE(torch::equal(whole(), whole_after));
}

TEST_F(TrainingTest, RefusesDamagedCheckpoints) {
  const data::Dataset train = Quadrants(64, 1, 1);
  Recipe recipe = Tiny("static");
  recipe.epochs = 1;
  const std::string path = folder_ + "/checkpoint.safetensors";
  const auto trainer = Trainer::Create(recipe, train, torch::kCPU);
  ASSERT_TRUE(trainer.ok());
  TrainerOptions options;
  options.checkpoint = path;
  ASSERT_TRUE((*trainer)->Run(options).ok());
  const auto read = ReadCheckpointRecipe(path);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(RecipeToJson(*read), RecipeToJson(recipe));

  const auto whole = ReadFile(path);
  ASSERT_TRUE(whole.ok());
  for (const size_t length : {size_t{0}, size_t{7}, size_t{100}, whole->size() - 1}) {
    ASSERT_TRUE(WriteFileAtomically(path, std::span(*whole).first(length)).ok());
    EXPECT_EQ((*trainer)->Restore(path).code(), StatusCode::kDataLoss) << length;
    EXPECT_EQ(ReadCheckpointRecipe(path).status().code(), StatusCode::kDataLoss) << length;
  }
  // A parameter that is not a number.
  std::vector<uint8_t> poisoned = *whole;
  for (size_t i = poisoned.size() - 4000; i < poisoned.size(); ++i) poisoned[i] = 0xff;
  ASSERT_TRUE(WriteFileAtomically(path, poisoned).ok());
  EXPECT_EQ((*trainer)->Restore(path).code(), StatusCode::kDataLoss);
  // Another family's checkpoint has other shapes.
  ASSERT_TRUE(WriteFileAtomically(path, *whole).ok());
  const auto other = Trainer::Create(Tiny("fluid2"), train, torch::kCPU);
  ASSERT_TRUE(other.ok());
  EXPECT_EQ((*other)->Restore(path).code(), StatusCode::kDataLoss);
}

// Float to the end, then a fine-tuning with rounding from its checkpoint: what the card of the first
// says of the float network is what the second starts from.
TEST_F(TrainingTest, FineTunesWithRoundingFromAFloatRun) {
  const data::Dataset train = Quadrants(512, 3, 1), test = Quadrants(200, 3, 2);
  Recipe recipe = Tiny("static", "resnet");
  recipe.optimizer = "sgd";
  recipe.learning_rate = 0.1;
  recipe.weight_decay = 5e-4;
  recipe.bounded_from = 1;
  const std::string path = folder_ + "/checkpoint.safetensors";
  TrainerOptions options;
  options.checkpoint = path;
  const auto floating = Trainer::Create(recipe, train, torch::kCPU);
  ASSERT_TRUE(floating.ok());
  ASSERT_TRUE((*floating)->Run(options).ok());
  const auto exported = ExportRun((*floating)->net(), (*floating)->family(), recipe, train, test,
                                  "tiny", "braid train", 1);
  ASSERT_TRUE(exported.ok()) << exported.status().ToString();
  EXPECT_NE(exported->network.card.find("unbounded_accuracy"), std::string::npos);
  EXPECT_GT(exported->network.points.front().accuracy, 0.9);

  Recipe fine = recipe;
  fine.optimizer = "adamw";
  fine.learning_rate = 1e-4;
  fine.bounded_from = 0;
  fine.bound_rank = 0.99;
  fine.epochs = 1;
  fine.from = path;
  const auto tuned = Trainer::Create(fine, train, torch::kCPU);
  ASSERT_TRUE(tuned.ok());
  ASSERT_TRUE((*tuned)->StartFrom(path).ok());
  EXPECT_FALSE((*tuned)->net().bounded(0));
  EXPECT_TRUE(torch::equal((*tuned)->net().weight(1), (*floating)->net().weight(1)));
  ASSERT_TRUE((*tuned)->Run({}).ok());
  EXPECT_FALSE(torch::equal((*tuned)->net().weight(1), (*floating)->net().weight(1)));
  EXPECT_LT((*tuned)->net().bound(0, 1), (*floating)->net().bound(0, 1));  // the lower rank
  ExpectParity(**tuned, test);

  fine.channels = 32;
  const auto wider = Trainer::Create(fine, train, torch::kCPU);
  ASSERT_TRUE(wider.ok());
  EXPECT_EQ((*wider)->StartFrom(path).code(), StatusCode::kInvalidArgument);
}

TEST_F(TrainingTest, FewerBitsThanAFileHoldsAreTrainedButNotExported) {
  const data::Dataset train = Quadrants(512, 1, 1), test = Quadrants(200, 1, 2);
  Recipe recipe = Tiny("static");
  recipe.bits = 4;
  const auto trainer = Trained(recipe, train);
  EXPECT_GT(EvaluateFloat(trainer->net(), trainer->family(), test)[0].accuracy, 0.9);
  const auto network = ExportNetwork(trainer->net(), trainer->family(),
                                     {trainer->net().Input(PixelTensor(train, 0, 8))});
  EXPECT_EQ(network.status().code(), StatusCode::kFailedPrecondition);
}

TEST_F(TrainingTest, RoundsAsFakeQuantizationDoesForwardsAndBackwards) {
  torch::manual_seed(3);
  const double bound = 2.5;
  for (const int largest : {127, 7}) {
    SCOPED_TRACE(largest);
    torch::Tensor x = (torch::randn({4, 3, 9, 7}) * 2).set_requires_grad(true);
    torch::Tensor y = x.detach().clone().set_requires_grad(true);
    const torch::Tensor upstream = torch::randn(x.sizes());
    const torch::Tensor ours = RoundActivations(x, bound, largest);
    const torch::Tensor reference =
        torch::fake_quantize_per_tensor_affine(y, bound / largest, 0, 0, largest);
    EXPECT_TRUE(torch::allclose(ours, reference, 1e-6, 1e-6));
    (ours * upstream).sum().backward();
    (reference * upstream).sum().backward();
    EXPECT_TRUE(torch::equal(x.grad(), y.grad()));
    EXPECT_GT((x.grad() == 0).sum().item<int64_t>(), 0);

    torch::Tensor weight = torch::randn({6, 2, 3, 3}).set_requires_grad(true);
    const torch::Tensor rounded = RoundWeights(weight, largest);
    const torch::Tensor step = weight.detach().abs().flatten(1).amax(1) / largest;
    const torch::Tensor steps = rounded.detach() / step.view({6, 1, 1, 1});
    EXPECT_TRUE(torch::allclose(steps, steps.round(), 0, 1e-4));
    EXPECT_LE(((rounded - weight).detach().abs() / step.view({6, 1, 1, 1})).max().item<double>(),
              0.5001);
    rounded.sum().backward();
    EXPECT_TRUE(torch::equal(weight.grad(), torch::ones_like(weight)));
  }
}

TEST_F(TrainingTest, ClipsAGradientToItsLargestNormAndLeavesSmallerOnes) {
  Parameters parameters({{"a", {2}}, {"b", {1}}}, torch::kCPU);
  const torch::Tensor gradient = parameters.gradient();
  gradient.copy_(torch::tensor({3.f, 0.f, -4.f}));
  parameters.ClipGradient(10);
  EXPECT_TRUE(torch::equal(gradient, torch::tensor({3.f, 0.f, -4.f})));
  parameters.ClipGradient(0.5);
  EXPECT_TRUE(torch::allclose(gradient, torch::tensor({0.3f, 0.f, -0.4f})));
  gradient.zero_();
  parameters.ClipGradient(0.5);
  EXPECT_TRUE(torch::equal(gradient, torch::zeros(3)));
}

TEST_F(TrainingTest, BorrowedTablesAreAValidSubNetwork) {
  const data::Dataset train = Quadrants(256, 1, 1), test = Quadrants(100, 1, 2);
  Recipe recipe = Tiny("dynamic");
  recipe.epochs = 1;
  const auto trainer = Trained(recipe, train);
  const auto exported =
      ExportRun(trainer->net(), trainer->family(), recipe, train, test, "tiny", "braid train", 1);
  ASSERT_TRUE(exported.ok()) << exported.status().ToString();
  EXPECT_NE(exported->network.card.find("\"asked_alone\":{\"g2+3\""), std::string::npos)
      << exported->network.card;
}

}  // namespace
}  // namespace braid::training
