// Data, device and reports of braid-train. Layer: training.
#include "braid/training/session.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

namespace braid::training {
namespace {

// A limit of 0 is none.
Result<data::Dataset> LoadSplit(const std::string& name, const std::string& split, int limit,
                                const MachineOptions& options) {
  data::LoadOptions load;
  load.folders = data::DefaultFolders();
  load.allow_download = !options.offline;
  load.count = limit;
  BRAID_ASSIGN_OR_RETURN(data::Dataset dataset, data::Load(name, split, load));
  if (limit <= 0 || limit >= dataset.count) return dataset;
  data::Dataset part = TakeImages(dataset, 0, limit);
  part.split = split;
  return part;
}

}  // namespace

std::string LimitOf(const MachineOptions& options) {
  return options.limit > 0 ? " --limit " + std::to_string(options.limit) : "";
}

data::Dataset TakeImages(const data::Dataset& dataset, int first, int count) {
  data::Dataset part = dataset;
  const auto begin = static_cast<ptrdiff_t>(first), end = static_cast<ptrdiff_t>(first + count);
  const auto bytes = static_cast<ptrdiff_t>(dataset.ImageBytes());
  part.count = count;
  part.images.assign(dataset.images.begin() + begin * bytes, dataset.images.begin() + end * bytes);
  part.targets.assign(dataset.targets.begin() + begin, dataset.targets.begin() + end);
  part.split += "[" + std::to_string(first) + ":" + std::to_string(first + count) + "]";
  data::SetDigest(part);
  return part;
}

Result<Splits> LoadSplits(const std::string& name, int validation, const MachineOptions& options) {
  Splits splits;
  if (validation <= 0) {
    BRAID_ASSIGN_OR_RETURN(splits.train, LoadSplit(name, "train", options.limit, options));
    BRAID_ASSIGN_OR_RETURN(splits.test, LoadSplit(name, "test", options.limit, options));
    return splits;
  }
  BRAID_ASSIGN_OR_RETURN(const data::Dataset all, LoadSplit(name, "train", 0, options));
  if (validation >= all.count) {
    return InvalidArgument("--validation: the training set has only " + std::to_string(all.count) +
                           " images");
  }
  const int trained = all.count - validation;
  const auto limited = [&](int count) {
    return options.limit > 0 ? std::min(options.limit, count) : count;
  };
  splits.train = TakeImages(all, 0, limited(trained));
  splits.test = TakeImages(all, trained, limited(validation));
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
  json["measured_on"] = card["test"];
  json["mean_gap"] = exported.mean_float_gap;
  json["worst_gap"] = exported.worst_float_gap;
  json["operating_points"] = nlohmann::ordered_json::array();
  for (const model::OperatingPoint& point : exported.network.points) {
    nlohmann::ordered_json entry = {{"name", point.name}, {"macs", point.macs_mean}};
    entry["weight_bytes"] = point.weight_bytes;
    entry.update(card["operating_points"][point.name]);
    json["operating_points"].push_back(std::move(entry));
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
