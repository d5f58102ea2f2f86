// braid verify: does this processor give a model's bits, and are the model's bits whole? Layer: cli.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "braid/base/file.h"
#include "braid/cli/commands.h"
#include "braid/cli/data_options.h"
#include "braid/cli/model_options.h"
#include "braid/cli/report.h"
#include "braid/model/file.h"
#include "braid/model/limits.h"
#include "braid/model/operating_point_name.h"
#include "braid/verify/comparison.h"
#include "braid/verify/test_vectors.h"

namespace braid::cli {
namespace {

struct Options {
  std::string model;
  std::string kernels = "all";
  bool write = false;
  std::string out;
  DataOptions data;
  bool json = false;
};

Result<std::vector<kernels::Path>> ChoosePaths(const std::string& name) {
  if (name == "all") return kernels::SupportedPaths();
  BRAID_ASSIGN_OR_RETURN(const kernels::Path path, ChoosePath(name));
  return std::vector<kernels::Path>{path};
}

Json DescribeDifference(const model::Network& network, const verify::Difference& difference) {
  const model::Layer& layer = network.layers[static_cast<size_t>(difference.slot.layer)];
  const model::SubNetwork& sub_network =
      network.sub_networks[static_cast<size_t>(difference.sub_network)];
  Json report = {{"kernels", kernels::PathName(difference.path)},
                 {"sub_network", model::FormatPointName({sub_network.groups})},
                 {"layer", difference.slot.layer},
                 {"layer_name", layer.name},
                 {"group", layer.Divided() ? Json(difference.slot.group) : Json()},
                 {"image", Json()},
                 {"element", Json()},
                 {"expected", Json()},
                 {"got", Json()}};
  if (difference.element.has_value()) {
    const verify::DifferentElement& element = *difference.element;
    report["image"] = element.image;
    report["element"] = {element.y, element.x, element.channel};
    report["expected"] = element.expected;
    report["got"] = element.got;
  }
  return report;
}

std::string DifferenceText(const Json& difference) {
  if (difference.contains("tensor")) return difference["tensor"].get<std::string>();
  std::string text =
      fmt::format("kernels {}, sub-network {}, layer {} ({})",
                  difference["kernels"].get<std::string>(),
                  difference["sub_network"].get<std::string>(), difference["layer"].get<int>(),
                  difference["layer_name"].get<std::string>());
  if (!difference["group"].is_null()) text += fmt::format(", group {}", difference["group"].dump());
  if (!difference["element"].is_null()) {
    text += fmt::format(", image {}, element {} [y,x,channel]: {}, expected {}",
                        difference["image"].dump(), difference["element"].dump(),
                        difference["got"].dump(), difference["expected"].dump());
  }
  return text;
}

void Report(const Options& options, const Json& report) {
  if (options.json) {
    PrintJson(report);
    return;
  }
  fmt::print("{}\n", report["model"].get<std::string>());
  if (report.contains("compared")) {
    fmt::print("  images   {}\n  kernels ", report["images"].get<int>());
    for (const Json& name : report["kernels"]) fmt::print(" {}", name.get<std::string>());
    fmt::print("\n  digests  {} compared", report["compared"].get<int64_t>());
    if (const auto skipped = report["skipped"].get<int64_t>(); skipped > 0) {
      fmt::print(", {} of maps that fused kernels never write", skipped);
    }
    fmt::print("\n");
  }
  if (report["equal"].is_null()) {
    fmt::print("  nothing to verify\n");
  } else if (report["equal"].get<bool>()) {
    fmt::print("  equal\n");
  } else if (!report["first_difference"].is_null()) {
    fmt::print("  differs  {}\n", DifferenceText(report["first_difference"]));
  } else {
    fmt::print("  differs\n");
  }
}

// A file whose digest is wrong: says which tensors are damaged. The damage is the result.
Status ReportDamage(const Options& options, const std::vector<uint8_t>& bytes,
                    const Status& status) {
  const std::vector<std::string> tensors = model::LocateDamage(bytes);
  Json report = {{"model", options.model},
                 {"equal", false},
                 {"first_difference", tensors.empty() ? Json() : Json{{"tensor", tensors.front()}}},
                 {"damaged_tensors", tensors}};
  Report(options, report);
  return status.WithContext(options.model);
}

Status Verify(const Options& options) {
  BRAID_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes,
                         ReadFile(options.model, model::kMaxFileBytes));
  const Result<model::ModelFile> file = model::Parse(bytes);
  if (file.status().code() == StatusCode::kDataLoss) {
    return ReportDamage(options, bytes, file.status());
  }
  if (!file.ok()) return file.status().WithContext(options.model);
  const model::Network& network = file->network;
  Json report = {{"model", options.model},
                 {"model_digest", file->digest},
                 {"network", network.name},
                 {"equal", Json()},
                 {"first_difference", Json()},
                 {"damaged_tensors", Json::array()},
                 {"images", model::TestImageCount(network)}};
  if (network.test_images.empty()) {
    Report(options, report);
    return FailedPrecondition(options.model + ": has no test vectors, so there is nothing to "
                                              "verify (`braid verify --write` adds them)");
  }
  BRAID_ASSIGN_OR_RETURN(const std::vector<kernels::Path> paths, ChoosePaths(options.kernels));
  BRAID_ASSIGN_OR_RETURN(const verify::Comparison comparison, verify::Compare(network, paths));
  report["kernels"] = Json::array();
  for (const kernels::Path path : paths) report["kernels"].push_back(kernels::PathName(path));
  report["compared"] = comparison.compared;
  report["skipped"] = comparison.skipped;
  report["equal"] = !comparison.difference.has_value();
  if (comparison.difference.has_value()) {
    report["first_difference"] = DescribeDifference(network, *comparison.difference);
  }
  Report(options, report);
  if (!comparison.difference.has_value()) return OkStatus();
  return DataLoss(options.model + ": other bits than the model's at " +
                  DifferenceText(report["first_difference"]));
}

Status Write(const Options& options) {
  BRAID_ASSIGN_OR_RETURN(model::ModelFile file, model::ReadModelFile(options.model));
  model::Network& network = file.network;
  data::Dataset pictures;
  if (!options.data.name.empty()) {
    BRAID_ASSIGN_OR_RETURN(pictures, LoadData(options.data));
    if (pictures.height != network.input_h || pictures.width != network.input_w ||
        pictures.channels != network.input_c) {
      return InvalidArgument(options.data.name + ": its images have another size than the model's");
    }
  }
  BRAID_ASSIGN_OR_RETURN(const verify::AddedVectors added,
                         verify::AddTestVectors(network, pictures.images));
  const std::string out = options.out.empty() ? options.model : options.out;
  BRAID_RETURN_IF_ERROR(model::WriteModelFile(network, out));
  BRAID_ASSIGN_OR_RETURN(const model::ModelFile written, model::ReadModelFile(out));
  const verify::ExerciseCounts& counts = added.exercise;
  if (options.json) {
    Json report = {{"model", out},
                   {"model_digest", written.digest},
                   {"images", added.images},
                   {"weights", counts.weights},
                   {"exercised_weights", counts.exercised_weights},
                   {"table_channels", counts.table_channels},
                   {"exercised_table_channels", counts.exercised_table_channels}};
    PrintJson(report);
  } else {
    fmt::print("{}: {} images; exercised: {} of {} weights, {} of {} table channels\n", out,
               added.images, counts.exercised_weights, counts.weights,
               counts.exercised_table_channels, counts.table_channels);
  }
  return OkStatus();
}

}  // namespace

void AddVerifyCommand(CLI::App& program, Work& work) {
  auto options = std::make_shared<Options>();
  CLI::App* verify =
      program.add_subcommand("verify", "Does this processor give a model's bits");
  verify->add_option("model", options->model, "The .braid file")->required()->type_name("FILE");
  verify
      ->add_option("--kernels", options->kernels,
                   "all (that this processor runs), best, scalar, avx2 or avx512vnni")
      ->check(CLI::IsMember({"all", "best", "scalar", "avx2", "avx512vnni"}))
      ->capture_default_str()
      ->type_name("PATH");
  CLI::Option* write = verify->add_flag(
      "--write", options->write, "Give the file test vectors instead, in place of any that it has");
  verify->add_option("--out", options->out, "With --write: the file to write, not the model itself")
      ->needs(write)
      ->type_name("FILE");
  AddDataOptions(*verify, options->data, false);
  verify->get_option("--data")->needs(write)->description(
      "With --write: choose test images also from this data set");
  verify->add_flag("--json", options->json, "Report as one JSON document");
  verify->callback([options, &work] {
    work = [options] { return options->write ? Write(*options) : Verify(*options); };
  });
}

}  // namespace braid::cli
