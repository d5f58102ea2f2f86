// Restoring networks: patches, loss, PSNR. Layer: training.
#include "braid/training/restoration/restoration.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "braid/data/dataset.h"
#include "braid/data/restoration/degraded_set.h"
#include "braid/training/backbone.h"
#include "braid/training/restoration/export.h"
#include "braid/training/trainer.h"

namespace braid::training {
namespace {

using Json = nlohmann::ordered_json;

class RestorationObjective : public Objective {
 public:
  RestorationObjective(const Recipe& recipe, Patches patches)
      : recipe_(recipe), squared_(recipe.loss == "squared"), patches_(std::move(patches)) {}

  int steps_per_epoch() const override { return patches_.per_epoch(); }

  Batch BatchOf(int global_step) override {
    Batch batch;
    batch.pixels = torch::empty({recipe_.batch, 1, recipe_.patch, recipe_.patch}, torch::kUInt8);
    batch.targets = torch::empty_like(batch.pixels);
    const auto bytes = static_cast<size_t>(batch.pixels.numel());
    patches_.Fill(global_step, {batch.pixels.data_ptr<uint8_t>(), bytes},
                  {batch.targets.data_ptr<uint8_t>(), bytes});
    return batch;
  }

  // Mean error in gray levels. For super-resolution, absolute: less is given to the few large
  // errors at edges, and the training ends with a higher PSNR all the same. For coded images,
  // squared: most errors of a fine quantization are 0, so that the least absolute error is to add
  // nothing.
  torch::Tensor Loss(BraidedNet& net, const std::vector<int>& subs, const torch::Tensor& x,
                     const torch::Tensor& targets) const override {
    const torch::Tensor missing = net.Input(targets) - x;
    torch::Tensor loss;
    for (const int sub : subs) {
      const torch::Tensor added = net.Forward(sub, x, /*training=*/true);
      const torch::Tensor error = (added - missing) * (1 / kInputStep);
      const torch::Tensor mean = (squared_ ? error.square() : error.abs()).mean();
      loss = loss.defined() ? loss + mean : mean;
    }
    return loss;
  }

 private:
  const Recipe recipe_;
  const bool squared_;
  const Patches patches_;
};

class Restoration : public Task {
 public:
  explicit Restoration(RestorerData data) : data_(std::move(data)) {}

  std::string DescribeData() const override {
    Json json = {{"train_split", data_.train.name}, {"train_digest", data_.train.digest}};
    for (const data::DegradedSet& test : data_.tests) {
      json["test_sets"].push_back({{"set", test.name}, {"digest", test.digest}});
    }
    return json.dump();
  }

  Result<model::Network> Skeleton(const Recipe& recipe) const override {
    if (!BackboneRestores(recipe.backbone)) {
      return InvalidArgument("backbone: " + recipe.backbone + " classifies, and " +
                             data_.train.name + " has no classes (vdsr, vrcnn)");
    }
    BackboneSpec spec;
    spec.name = recipe.backbone;
    spec.height = recipe.patch;
    spec.width = recipe.patch;
    spec.channels = recipe.channels;
    spec.dense = recipe.dense;
    return MakeBackbone(spec);
  }

  Result<std::unique_ptr<Objective>> MakeObjective(const Recipe& recipe,
                                                   const Family& family) const override {
    if (!family.sums.empty()) {
      return InvalidArgument("recipe: " + recipe.family +
                             " adds answers, which restored images have no use for (static, "
                             "dynamic, alone1..3)");
    }
    BRAID_ASSIGN_OR_RETURN(Patches patches, Patches::Make(data_.train, PatchOptions(recipe)));
    return std::unique_ptr<Objective>(
        std::make_unique<RestorationObjective>(recipe, std::move(patches)));
  }

  Result<std::string> Finish(Trainer& trainer, const Recipe& recipe,
                             const FinishOptions& options) const override {
    return ExportRestorer(trainer, recipe, data_, options);
  }

 private:
  RestorerData data_;
};

int CountOf(const data::DegradedSet& set) { return static_cast<int>(set.originals.images.size()); }

data::DegradedSet Limited(data::DegradedSet set, int limit) {
  const int count = CountOf(set);
  return limit <= 0 || limit >= count ? set : data::TakeImages(set, 0, limit);
}

}  // namespace

Patches::Options PatchOptions(const Recipe& recipe) {
  Patches::Options options;
  options.side = recipe.patch;
  options.batch = recipe.batch;
  options.turn = recipe.flip;
  options.seed = recipe.seed;
  return options;
}

Result<std::unique_ptr<Task>> LoadRestoration(const std::string& name, int validation,
                                              const MachineOptions& options) {
  const std::vector<std::string> folders = data::DefaultFolders();
  RestorerData data;
  BRAID_ASSIGN_OR_RETURN(data.train, data::LoadDegradedSet(name, folders));
  if (validation > 0) {
    const auto count = CountOf(data.train);
    if (validation >= count) {
      return InvalidArgument("--validation: the training set has only " + std::to_string(count) +
                             " images");
    }
    data.tests.push_back(data::TakeImages(data.train, count - validation, validation));
    data.train = data::TakeImages(data.train, 0, count - validation);
  } else {
    // Coded in the same way: "-hevc" or "-hevc37" follows the set's name.
    const size_t suffix = std::min(name.find('-'), name.size());
    const bool coded = data.train.degradation == data::Degradation::kCoded;
    for (const std::string test : {coded ? "classic5" : "set5", "set14"}) {
      BRAID_ASSIGN_OR_RETURN(data::DegradedSet set,
                             data::LoadDegradedSet(test + name.substr(suffix), folders));
      data.tests.push_back(std::move(set));
    }
  }
  data.train = Limited(std::move(data.train), options.limit);
  for (data::DegradedSet& test : data.tests) test = Limited(std::move(test), options.limit);
  return std::unique_ptr<Task>(std::make_unique<Restoration>(std::move(data)));
}

}  // namespace braid::training
