// Classifiers: batches, loss, accuracies, model file. Layer: training.
#include "braid/training/classification/classification.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "braid/model/file.h"
#include "braid/training/backbone.h"
#include "braid/training/batches.h"
#include "braid/training/evaluate.h"
#include "braid/training/export_run.h"
#include "braid/training/fluid/loss.h"
#include "braid/training/trainer.h"

namespace braid::training {
namespace {

class ClassifierObjective : public Objective {
 public:
  ClassifierObjective(const Recipe& recipe, const Family& family, const data::Dataset& train)
      : recipe_(recipe),
        family_(family),
        train_(train),
        batches_(train, recipe.batch, {recipe.shift, recipe.flip}, recipe.seed) {}

  int steps_per_epoch() const override { return batches_.per_epoch(); }

  Batch BatchOf(int global_step) override {
    const int per_epoch = batches_.per_epoch();
    batches_.Fill(global_step / per_epoch, global_step % per_epoch, images_, targets_);
    return {
        PixelTensor(images_, batches_.batch_size(), train_.height, train_.width, train_.channels),
        torch::tensor(targets_, torch::kInt64)};
  }

  torch::Tensor Loss(BraidedNet& net, const std::vector<int>& subs, const torch::Tensor& x,
                     const torch::Tensor& targets) const override {
    return StepLoss(net, family_, recipe_, subs, x, targets);
  }

 private:
  const Recipe recipe_;
  const Family& family_;
  const data::Dataset& train_;
  Batches batches_;
  std::vector<uint8_t> images_;
  std::vector<int64_t> targets_;
};

class Classification : public Task {
 public:
  explicit Classification(Splits splits) : splits_(std::move(splits)) {}

  std::string DescribeData() const override {
    const nlohmann::ordered_json json = {{"train_split", splits_.train.split},
                                         {"train_digest", splits_.train.digest},
                                         {"test_split", splits_.test.split},
                                         {"test_digest", splits_.test.digest}};
    return json.dump();
  }

  Result<model::Network> Skeleton(const Recipe& recipe) const override {
    return ClassifierSkeleton(recipe, splits_.train);
  }

  Result<std::unique_ptr<Objective>> MakeObjective(const Recipe& recipe,
                                                   const Family& family) const override {
    return MakeClassifierObjective(recipe, family, splits_.train);
  }

  Result<std::string> Finish(Trainer& trainer, const Recipe& recipe,
                             const FinishOptions& options) const override {
    if (recipe.bits != 8) return MeasureRounded(trainer, recipe, options.print);
    BRAID_ASSIGN_OR_RETURN(
        const ExportedModel exported,
        ExportRun(trainer.net(), trainer.family(), recipe, splits_.train, splits_.test,
                  RunName(recipe), options.command, options.seconds));
    BRAID_RETURN_IF_ERROR(model::WriteModelFile(exported.network, options.path));
    if (options.print) PrintExport(exported, options.path);
    return DescribeExport(exported, options.path);
  }

 private:
  // No model file holds such a network: the rounded float network is measured, and its bounds alone.
  std::string MeasureRounded(Trainer& trainer, const Recipe& recipe, bool print) const {
    using Arithmetic = BraidedNet::Arithmetic;
    const auto measure = [&](Arithmetic arithmetic) {
      trainer.net().SetArithmetic(arithmetic);
      return EvaluateFloat(trainer.net(), trainer.family(), splits_.test);
    };
    const std::vector<PointAccuracy> bounded = measure(Arithmetic::kBounded);
    const std::vector<PointAccuracy> rounded = measure(Arithmetic::kRounded);
    const data::Dataset& test = splits_.test;
    nlohmann::ordered_json json = {{"model", RunName(recipe)}, {"bits", recipe.bits}};
    json["measured_on"] = {{"split", test.split}, {"images", test.count}, {"digest", test.digest}};
    for (size_t p = 0; p < rounded.size(); ++p) {
      if (print) {
        std::printf("%-14s %d bits %6.2f%% (bounded, unrounded %.2f%%)\n", rounded[p].name.c_str(),
                    recipe.bits, 100 * rounded[p].accuracy, 100 * bounded[p].accuracy);
      }
      json["operating_points"].push_back({{"name", rounded[p].name},
                                          {"accuracy", rounded[p].accuracy},
                                          {"float_accuracy", bounded[p].accuracy}});
    }
    return json.dump();
  }

  Splits splits_;
};

}  // namespace

Result<model::Network> ClassifierSkeleton(const Recipe& recipe, const data::Dataset& train) {
  if (BackboneRestores(recipe.backbone)) {
    return InvalidArgument("backbone: " + recipe.backbone + " restores images and " + train.name +
                           " is classified");
  }
  BackboneSpec spec;
  spec.name = recipe.backbone;
  spec.height = train.height;
  spec.width = train.width;
  spec.image_channels = train.channels;
  spec.classes = static_cast<int>(train.labels.size());
  spec.channels = recipe.channels;
  spec.dense = recipe.dense;
  return MakeBackbone(spec);
}

Result<std::unique_ptr<Objective>> MakeClassifierObjective(const Recipe& recipe,
                                                           const Family& family,
                                                           const data::Dataset& train) {
  if (train.count < recipe.batch) {
    return InvalidArgument("batch: larger than the training set of " + std::to_string(train.count));
  }
  return std::unique_ptr<Objective>(std::make_unique<ClassifierObjective>(recipe, family, train));
}

Result<std::unique_ptr<Task>> LoadClassification(const std::string& name, int validation,
                                                 const MachineOptions& options) {
  BRAID_ASSIGN_OR_RETURN(Splits splits, LoadSplits(name, validation, options));
  return std::unique_ptr<Task>(std::make_unique<Classification>(std::move(splits)));
}

}  // namespace braid::training
