// braid infer: classifies pictures with a model in this process. Layer: cli.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "braid/cli/commands.h"
#include "braid/cli/evaluation.h"
#include "braid/cli/model_options.h"
#include "braid/cli/point_runner.h"
#include "braid/cli/report.h"
#include "braid/data/image_file.h"
#include "braid/model/file.h"

namespace braid::cli {
namespace {

struct Options {
  ModelOptions model;
  std::vector<std::string> images;
  std::string point;
  bool json = false;
};

// The point asked for, or the most accurate one by the card; of equals the cheapest.
Result<const model::OperatingPoint*> ChoosePoint(const model::Network& network,
                                                 const std::string& name) {
  if (!name.empty()) {
    BRAID_ASSIGN_OR_RETURN(const auto points, ChoosePoints(network, {name}));
    return points.front();
  }
  if (network.points.empty()) return NotFound("the model has no operating points");
  return &*std::max_element(
      network.points.begin(), network.points.end(), [](const auto& a, const auto& b) {
        return a.accuracy != b.accuracy ? a.accuracy < b.accuracy : a.macs_mean > b.macs_mean;
      });
}

Status Infer(const Options& options) {
  BRAID_ASSIGN_OR_RETURN(const kernels::Path path, ChoosePath(options.model.kernels));
  BRAID_ASSIGN_OR_RETURN(const model::ModelFile file, model::ReadModelFile(options.model.model));
  const model::Network& network = file.network;
  BRAID_ASSIGN_OR_RETURN(const model::OperatingPoint* point, ChoosePoint(network, options.point));
  PreparedShares shares(network, path);
  BRAID_ASSIGN_OR_RETURN(const PointPlan plan, PointPlan::Make(shares, *point, 1, 1));
  BRAID_ASSIGN_OR_RETURN(PointRun run, PointRun::Make(plan));

  Json report = {{"model", options.model.model},
                 {"model_digest", file.digest},
                 {"operating_point", point->name},
                 {"kernels", kernels::PathName(path)},
                 {"images", Json::array()}};
  std::vector<std::vector<std::string>> rows = {{"file", "class", "label"}};
  std::vector<int32_t> logits(network.labels.size());
  for (const std::string& image : options.images) {
    BRAID_ASSIGN_OR_RETURN(const std::vector<uint8_t> pixels,
                           data::ReadImageFile(image, {.height = network.input_h,
                                                       .width = network.input_w,
                                                       .channels = network.input_c}));
    BRAID_RETURN_IF_ERROR(run.Logits(pixels, 1, logits));
    const int best = Best(logits);
    const std::string& label = network.labels[static_cast<size_t>(best)];
    report["images"].push_back(
        {{"file", image}, {"class", best}, {"label", label}, {"logits", logits}});
    rows.push_back({image, std::to_string(best), label});
  }
  if (options.json) {
    PrintJson(report);
  } else {
    PrintTable(rows, {1});
  }
  return OkStatus();
}

}  // namespace

void AddInferCommand(CLI::App& program, Work& work) {
  auto options = std::make_shared<Options>();
  CLI::App* infer = program.add_subcommand("infer", "Classify PNG or JPEG files");
  AddModelOptions(*infer, options->model, true);
  infer->add_option("images", options->images, "Pictures of the model's size")
      ->required()
      ->type_name("FILE...");
  infer->add_option("--point", options->point, "Operating point; else the most accurate")
      ->type_name("NAME");
  infer->add_flag("--json", options->json, "Report as one JSON document");
  infer->callback([options, &work] { work = [options] { return Infer(*options); }; });
}

}  // namespace braid::cli
