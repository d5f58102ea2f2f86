// Super-resolution networks: patches, loss, PSNR. Layer: training.
#include "braid/training/super_resolution/super_resolution.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "braid/data/dataset.h"
#include "braid/data/super_resolution/luma_set.h"
#include "braid/training/backbone.h"
#include "braid/training/super_resolution/patches.h"
#include "braid/training/super_resolution/psnr_evaluation.h"
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
  SuperResolution(data::LumaSet train, std::vector<data::LumaSet> tests)
      : train_(std::move(train)), tests_(std::move(tests)) {}

  std::string DescribeData() const override {
    Json json = {{"train_split", train_.name}, {"train_digest", train_.digest}};
    for (const data::LumaSet& test : tests_) {
      json["test_sets"].push_back({{"set", test.name}, {"digest", test.digest}});
    }
    return json.dump();
  }

  Result<model::Network> Skeleton(const Recipe& recipe) const override {
    if (!BackboneRestores(recipe.backbone)) {
      return InvalidArgument("backbone: " + recipe.backbone + " classifies, and " + train_.name +
                             " has no classes (vdsr)");
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
                                                   const Family&) const override {
    Patches::Options options;
    options.scales.assign(kScales.begin(), kScales.end());
    options.side = recipe.patch;
    options.batch = recipe.batch;
    options.turn = recipe.flip;
    options.seed = recipe.seed;
    BRAID_ASSIGN_OR_RETURN(Patches patches, Patches::Make(train_, options));
    return std::unique_ptr<Objective>(
        std::make_unique<RestorationObjective>(recipe, std::move(patches)));
  }

  Result<std::string> Finish(Trainer& trainer, const Recipe& recipe,
                             const FinishOptions& options) const override {
    using Arithmetic = BraidedNet::Arithmetic;
    BraidedNet& net = trainer.net();
    Json json = {{"model", RunName(recipe)}, {"command", options.command}};
    if (options.seconds > 0) json["training_seconds"] = std::round(options.seconds);
    json["psnr"] = Json::array();
    for (int sub = 0; sub < net.sub_network_count(); ++sub) {
      const std::vector<SetPsnr> rounded = EvaluatePsnr(net, sub, tests_);
      net.SetArithmetic(Arithmetic::kBounded);
      const std::vector<SetPsnr> bounded = EvaluatePsnr(net, sub, tests_);
      // Trained in floating point to the end: this is the network that the bounds came after.
      net.SetArithmetic(Arithmetic::kUnbounded);
      const bool floating = recipe.bounded_from >= 1;
      const std::vector<SetPsnr> unbounded =
          floating ? EvaluatePsnr(net, sub, tests_) : std::vector<SetPsnr>();
      net.SetArithmetic(Arithmetic::kRounded);
      for (size_t i = 0; i < rounded.size(); ++i) {
        Json row = {{"sub_network", PointName({net.groups(sub)})},
                    {"set", rounded[i].set},
                    {"scale", rounded[i].scale},
                    {"bicubic", rounded[i].bicubic},
                    {"float", bounded[i].network},
                    {"rounded", rounded[i].network}};
        if (floating) row["unbounded"] = unbounded[i].network;
        json["psnr"].push_back(std::move(row));
      }
    }
    if (options.print) Print(json["psnr"]);
    return json.dump();
  }

 private:
  static void Print(const Json& rows) {
    std::printf("%-8s %-14s %5s %9s %9s %9s\n", "point", "set", "scale", "bicubic", "float",
                "rounded");
    for (const Json& row : rows) {
      std::printf("%-8s %-14s %4s%d %6.3f dB %6.3f dB %6.3f dB\n",
                  row["sub_network"].get<std::string>().c_str(),
                  row["set"].get<std::string>().c_str(), "x", row["scale"].get<int>(),
                  row["bicubic"].get<double>(), row["float"].get<double>(),
                  row["rounded"].get<double>());
    }
  }

  data::LumaSet train_;
  std::vector<data::LumaSet> tests_;
};

data::LumaSet Limited(data::LumaSet set, int limit) {
  const auto count = static_cast<int>(set.images.size());
  return limit <= 0 || limit >= count ? set : data::TakeImages(set, 0, limit);
}

}  // namespace

Result<std::unique_ptr<Task>> LoadSuperResolution(const std::string& name, int validation,
                                                  const MachineOptions& options) {
  const std::vector<std::string> folders = data::DefaultFolders();
  BRAID_ASSIGN_OR_RETURN(data::LumaSet train, data::LoadLumaSet(name, folders));
  std::vector<data::LumaSet> tests;
  if (validation > 0) {
    const auto count = static_cast<int>(train.images.size());
    if (validation >= count) {
      return InvalidArgument("--validation: the training set has only " + std::to_string(count) +
                             " images");
    }
    tests.push_back(data::TakeImages(train, count - validation, validation));
    train = data::TakeImages(train, 0, count - validation);
  } else {
    for (const char* test : {"set5", "set14"}) {
      BRAID_ASSIGN_OR_RETURN(data::LumaSet set, data::LoadLumaSet(test, folders));
      tests.push_back(std::move(set));
    }
  }
  train = Limited(std::move(train), options.limit);
  for (data::LumaSet& test : tests) test = Limited(std::move(test), options.limit);
  return std::unique_ptr<Task>(
      std::make_unique<SuperResolution>(std::move(train), std::move(tests)));
}

}  // namespace braid::training
