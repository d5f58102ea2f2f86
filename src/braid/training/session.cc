// Data, device and reports of braid-train. Layer: training.
#include "braid/training/session.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

namespace braid::training {
namespace {

Result<data::Dataset> LoadSplit(const std::string& name, const std::string& split,
                                const MachineOptions& options) {
  data::LoadOptions load;
  load.folders = data::DefaultFolders();
  load.allow_download = !options.offline;
  load.count = options.limit;
  BRAID_ASSIGN_OR_RETURN(data::Dataset dataset, data::Load(name, split, load));
  if (options.limit > 0 && options.limit < dataset.count) {
    dataset.count = options.limit;
    const auto count = static_cast<size_t>(options.limit);
    dataset.images.resize(count * dataset.ImageBytes());
    dataset.targets.resize(count);
    data::SetDigest(dataset);
  }
  return dataset;
}

}  // namespace

std::string LimitOf(const MachineOptions& options) {
  return options.limit > 0 ? " --limit " + std::to_string(options.limit) : "";
}

Result<Splits> LoadSplits(const std::string& name, const MachineOptions& options) {
  Splits splits;
  BRAID_ASSIGN_OR_RETURN(splits.train, LoadSplit(name, "train", options));
  BRAID_ASSIGN_OR_RETURN(splits.test, LoadSplit(name, "test", options));
  return splits;
}

Result<torch::Device> UseMachine(const MachineOptions& options) {
  torch::set_num_threads(options.threads);
  if (options.device == "cpu") return torch::Device(torch::kCPU);
  if (options.device != "cuda") {
    return InvalidArgument("--device: '" + options.device + "' is neither cpu nor cuda");
  }
  if (!torch::cuda::is_available()) {
    return FailedPrecondition("--device cuda: this libtorch sees no CUDA device");
  }
  return torch::Device(torch::kCUDA);
}

std::string DescribeExport(const ExportedModel& exported, const std::string& path) {
  nlohmann::ordered_json json;
  const auto card = nlohmann::ordered_json::parse(exported.network.card);
  json["model"] = exported.network.name;
  json["file"] = path;
  json["mean_gap"] = exported.mean_float_gap;
  json["worst_gap"] = exported.worst_float_gap;
  json["operating_points"] = nlohmann::ordered_json::array();
  for (const model::OperatingPoint& point : exported.network.points) {
    json["operating_points"].push_back(
        {{"name", point.name},
         {"accuracy", point.accuracy},
         {"float_accuracy", card["operating_points"][point.name]["float_accuracy"]},
         {"macs", point.macs_mean},
         {"weight_bytes", point.weight_bytes}});
  }
  if (card.contains("asked_alone")) json["asked_alone"] = card["asked_alone"];
  return json.dump();
}

void PrintExport(const ExportedModel& exported, const std::string& path) {
  std::printf("%s\n", path.c_str());
  std::printf("%-14s %9s %12s %12s\n", "point", "accuracy", "macs", "weight bytes");
  for (const model::OperatingPoint& point : exported.network.points) {
    std::printf("%-14s %8.2f%% %12lld %12lld\n", point.name.c_str(), 100 * point.accuracy,
                static_cast<long long>(point.macs_mean),
                static_cast<long long>(point.weight_bytes));
  }
}

}  // namespace braid::training
