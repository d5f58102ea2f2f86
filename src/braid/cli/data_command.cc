// braid data: list, fetch, generate and digest data sets. Layer: cli.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "braid/base/file.h"
#include "braid/cli/commands.h"
#include "braid/cli/data_options.h"
#include "braid/cli/report.h"
#include "braid/data/catalog.h"
#include "braid/data/idx.h"

namespace braid::cli {
namespace {

struct Options {
  DataOptions data;
  std::string out;
  int count = 0;
  bool json = false;
};

std::string Shape(const data::CatalogEntry& entry) {
  return fmt::format("{}x{}x{}", entry.height, entry.width, entry.channels);
}

const char* FormName(data::Form form) {
  switch (form) {
    case data::Form::kIdx:
      return "idx";
    case data::Form::kCifar:
      return "cifar";
    case data::Form::kGenerated:
      return "generated";
  }
  return "?";
}

// The folder that holds the data set, whatever the state of its files; empty when none does.
std::string FolderOf(const data::CatalogEntry& entry) {
  for (const std::string& root : data::DefaultFolders()) {
    std::error_code ignored;
    const std::string folder = root + "/" + entry.name;
    if (std::filesystem::is_directory(folder, ignored)) return folder;
  }
  return "";
}

Status List(const Options& options) {
  Json report = {{"folders", data::DefaultFolders()}, {"datasets", Json::array()}};
  std::vector<std::vector<std::string>> rows = {{"name", "image", "train", "test", "where", ""}};
  for (const data::CatalogEntry& entry : data::Catalog()) {
    const bool generated = entry.form == data::Form::kGenerated;
    const std::string folder = generated ? "" : FolderOf(entry);
    report["datasets"].push_back({{"name", entry.name},
                                  {"title", entry.title},
                                  {"form", FormName(entry.form)},
                                  {"height", entry.height},
                                  {"width", entry.width},
                                  {"channels", entry.channels},
                                  {"train", entry.train_count},
                                  {"test", entry.test_count},
                                  {"labels", entry.labels},
                                  {"folder", folder.empty() ? Json() : Json(folder)}});
    rows.push_back({entry.name, Shape(entry), std::to_string(entry.train_count),
                    std::to_string(entry.test_count),
                    generated         ? "generated"
                    : !folder.empty() ? folder
                                      : "to fetch",
                    entry.title});
  }
  if (options.json) {
    PrintJson(report);
  } else {
    PrintTable(rows, {2, 3});
  }
  return OkStatus();
}

void PrintDataset(const data::Dataset& dataset) {
  fmt::print("{} {}: {} images of {}x{}x{}, digest {}\n", dataset.name, dataset.split,
             dataset.count, dataset.height, dataset.width, dataset.channels, dataset.digest);
  for (const data::SourceFile& file : dataset.sources) {
    fmt::print("  {}\n    SHA-256 {}{}\n", file.path, file.sha256,
               file.known ? " (as published)" : " (not a published file)");
  }
}

// Loading is what downloads; a data set that is already here is only checked.
Status Fetch(Options options) {
  Json report = Json::array();
  for (const char* split : {"train", "test"}) {
    options.data.split = split;
    BRAID_ASSIGN_OR_RETURN(const data::Dataset dataset, LoadData(options.data));
    if (options.json) {
      Json entry;
      DescribeData(dataset, entry);
      report.push_back(entry);
    } else {
      PrintDataset(dataset);
    }
  }
  if (options.json) PrintJson({{"splits", report}});
  return OkStatus();
}

Status Digest(const Options& options) {
  BRAID_ASSIGN_OR_RETURN(const data::Dataset dataset, LoadData(options.data));
  if (options.json) {
    Json report;
    DescribeData(dataset, report);
    PrintJson(report);
  } else {
    PrintDataset(dataset);
  }
  return OkStatus();
}

// Gray images as [N,H,W], colour ones as [N,H,W,C].
Status WriteIdx(const data::Dataset& dataset, const std::string& folder, Json& files) {
  const std::string prefix = folder + "/" + (dataset.split == "train" ? "train" : "t10k");
  std::vector<int> dims = {dataset.count, dataset.height, dataset.width};
  if (dataset.channels > 1) dims.push_back(dataset.channels);
  const int label_dims[] = {dataset.count};
  const std::string images = fmt::format("{}-images-idx{}-ubyte", prefix, dims.size());
  const std::string labels = prefix + "-labels-idx1-ubyte";
  BRAID_RETURN_IF_ERROR(WriteFileAtomically(images, data::SerializeIdx(dims, dataset.images)));
  BRAID_RETURN_IF_ERROR(
      WriteFileAtomically(labels, data::SerializeIdx(label_dims, dataset.targets)));
  files.push_back(images);
  files.push_back(labels);
  return OkStatus();
}

Status Generate(Options options) {
  const data::CatalogEntry* entry = data::FindEntry(options.data.name);
  if (entry == nullptr || entry->form != data::Form::kGenerated) {
    return InvalidArgument("'" + options.data.name + "' is not generated; digits and shapes are");
  }
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error) return Internal(options.out + ": cannot make the folder: " + error.message());
  Json report = {{"dataset", entry->name}, {"seed", options.data.seed}, {"files", Json::array()}};
  for (const char* split : {"train", "test"}) {
    options.data.split = split;
    options.data.limit = options.count;
    BRAID_ASSIGN_OR_RETURN(const data::Dataset dataset, LoadData(options.data));
    BRAID_RETURN_IF_ERROR(WriteIdx(dataset, options.out, report["files"]));
    report[std::string(split) + "_digest"] = dataset.digest;
    if (!options.json) PrintDataset(dataset);
  }
  if (options.json) PrintJson(report);
  return OkStatus();
}

}  // namespace

void AddDataCommand(CLI::App& program, Work& work) {
  auto options = std::make_shared<Options>();
  CLI::App* data = program.add_subcommand("data", "List, fetch, generate and digest data sets");
  data->require_subcommand(1);
  const auto add_json = [&](CLI::App* command) {
    command->add_flag("--json", options->json, "Report as one JSON document");
  };
  const auto add_name = [&](CLI::App* command) {
    command->add_option("name", options->data.name, data::CatalogNames())
        ->required()
        ->type_name("NAME");
  };

  CLI::App* list = data->add_subcommand("list", "What there is and where it lies");
  add_json(list);
  list->callback([options, &work] { work = [options] { return List(*options); }; });

  CLI::App* fetch = data->add_subcommand("fetch", "Download both splits unless they are here");
  add_name(fetch);
  add_json(fetch);
  fetch->callback([options, &work] { work = [options] { return Fetch(*options); }; });

  CLI::App* generate = data->add_subcommand("generate", "Write a generated data set as IDX files");
  add_name(generate);
  generate->add_option("--out", options->out, "Folder for the files")->required()->type_name("DIR");
  generate->add_option("--count", options->count, "Images in each split; 0: the usual number")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  generate->add_option("--seed", options->data.seed, "Seed")->capture_default_str()->type_name("N");
  add_json(generate);
  generate->callback([options, &work] { work = [options] { return Generate(*options); }; });

  CLI::App* digest = data->add_subcommand("digest", "Read a split and name it by its SHA-256");
  AddDataOptions(*digest, options->data, true);
  add_json(digest);
  digest->callback([options, &work] { work = [options] { return Digest(*options); }; });
}

}  // namespace braid::cli
