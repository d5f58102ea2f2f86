// Super-resolution networks: patches, loss, PSNR. Layer: training.
#include "braid/training/super_resolution/super_resolution.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "braid/data/dataset.h"
#include "braid/data/super_resolution/measurement.h"
#include "braid/training/backbone.h"
#include "braid/training/super_resolution/export.h"
#include "braid/training/trainer.h"

namespace braid::training {
namespace {

using Json = nlohmann::ordered_json;

class RestorationObjective : public Objective {
 public:
  RestorationObjective(const Recipe& recipe, Patches patches)
      : recipe_(recipe), patches_(std::move(patches)) {}

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

  // Mean absolute error in gray levels: less is given to the few large errors at edges than the
  // squared error would, and the training ends with a higher PSNR all the same.
  torch::Tensor Loss(BraidedNet& net, const std::vector<int>& subs, const torch::Tensor& x,
                     const torch::Tensor& targets) const override {
    const torch::Tensor missing = net.Input(targets) - x;
    torch::Tensor loss;
    for (const int sub : subs) {
      const torch::Tensor added = net.Forward(sub, x, /*training=*/true);
      const torch::Tensor error = (added - missing).abs().mean() * (1 / kInputStep);
      loss = loss.defined() ? loss + error : error;
    }
    return loss;
  }

 private:
  const Recipe recipe_;
  const Patches patches_;
};

class SuperResolution : public Task {
 public:
  explicit SuperResolution(RestorerData data) : data_(std::move(data)) {}

  std::string DescribeData() const override {
    Json json = {{"train_split", data_.train.name}, {"train_digest", data_.train.digest}};
    for (const data::LumaSet& test : data_.tests) {
      json["test_sets"].push_back({{"set", test.name}, {"digest", test.digest}});
    }
    return json.dump();
  }

  Result<model::Network> Skeleton(const Recipe& recipe) const override {
    if (!BackboneRestores(recipe.backbone)) {
      return InvalidArgument("backbone: " + recipe.backbone + " classifies, and " +
                             data_.train.name + " has no classes (vdsr)");
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

data::LumaSet Limited(data::LumaSet set, int limit) {
  const auto count = static_cast<int>(set.images.size());
  return limit <= 0 || limit >= count ? set : data::TakeImages(set, 0, limit);
}

}  // namespace

Patches::Options PatchOptions(const Recipe& recipe) {
  Patches::Options options;
  options.scales.assign(data::kScales.begin(), data::kScales.end());
  options.side = recipe.patch;
  options.batch = recipe.batch;
  options.turn = recipe.flip;
  options.seed = recipe.seed;
  return options;
}

Result<std::unique_ptr<Task>> LoadSuperResolution(const std::string& name, int validation,
                                                  const MachineOptions& options) {
  const std::vector<std::string> folders = data::DefaultFolders();
  RestorerData data;
  BRAID_ASSIGN_OR_RETURN(data.train, data::LoadLumaSet(name, folders));
  if (validation > 0) {
    const auto count = static_cast<int>(data.train.images.size());
    if (validation >= count) {
      return InvalidArgument("--validation: the training set has only " + std::to_string(count) +
                             " images");
    }
    data.tests.push_back(data::TakeImages(data.train, count - validation, validation));
    data.train = data::TakeImages(data.train, 0, count - validation);
  } else {
    for (const char* test : {"set5", "set14"}) {
      BRAID_ASSIGN_OR_RETURN(data::LumaSet set, data::LoadLumaSet(test, folders));
      data.tests.push_back(std::move(set));
    }
  }
  data.train = Limited(std::move(data.train), options.limit);
  for (data::LumaSet& test : data.tests) test = Limited(std::move(test), options.limit);
  return std::unique_ptr<Task>(std::make_unique<SuperResolution>(std::move(data)));
}

}  // namespace braid::training
