#include "braid/cli/data_options.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "braid/data/catalog.h"

namespace braid::cli {

void AddDataOptions(CLI::App& command, DataOptions& options, bool required) {
  command.add_option("--data", options.name, data::CatalogNames())
      ->required(required)
      ->type_name("NAME");
  command.add_option("--split", options.split, "train or test")
      ->check(CLI::IsMember({"train", "test"}))
      ->capture_default_str()
      ->type_name("SPLIT");
  command.add_option("--limit", options.limit, "Only the first N images; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->type_name("N");
  command.add_option("--data-seed", options.seed, "Seed of generated data")
      ->capture_default_str()
      ->type_name("N");
  command.add_flag("--offline", options.offline, "Never download");
}

data::LoadOptions LoadOptionsFor(const DataOptions& options) {
  data::LoadOptions load;
  load.folders = data::DefaultFolders();
  load.allow_download = !options.offline;
  load.seed = options.seed;
  load.count = options.limit;
  return load;
}

Result<data::Dataset> LoadData(const DataOptions& options) {
  BRAID_ASSIGN_OR_RETURN(data::Dataset dataset,
                         data::Load(options.name, options.split, LoadOptionsFor(options)));
  for (const data::SourceFile& file : dataset.sources) {
    if (file.known) continue;
    spdlog::warn("{}: not a published file (SHA-256 {})", file.path, file.sha256);
  }
  if (options.limit > 0 && options.limit < dataset.count) {
    dataset.count = options.limit;
    const auto count = static_cast<size_t>(options.limit);
    dataset.images.resize(count * dataset.ImageBytes());
    dataset.targets.resize(count);
    data::SetDigest(dataset);
  }
  return dataset;
}

void DescribeData(const data::Dataset& dataset, Json& report) {
  report["dataset"] = dataset.name;
  report["split"] = dataset.split;
  report["images"] = dataset.count;
  report["data_digest"] = dataset.digest;
  report["data_files"] = Json::array();
  for (const data::SourceFile& file : dataset.sources) {
    report["data_files"].push_back(
        {{"path", file.path}, {"sha256", file.sha256}, {"known", file.known}});
  }
}

}  // namespace braid::cli
