// braid eval: accuracy and cost of a model's operating points on a data set. Layer: cli.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "braid/cli/commands.h"
#include "braid/cli/data_options.h"
#include "braid/cli/evaluation.h"
#include "braid/cli/model_options.h"
#include "braid/cli/report.h"
#include "braid/cli/restoration.h"
#include "braid/data/restoration/degraded_set.h"
#include "braid/model/file.h"
#include "braid/model/layer_map.h"

namespace braid::cli {
namespace {

struct Options {
  ModelOptions model;
  DataOptions data;
  std::vector<std::string> points;
  int batch = 32;
  int devices = 1;
  int threads = 0;
  bool json = false;
};

Status CheckFits(const model::Network& network, const data::Dataset& dataset) {
  if (model::HasMapHead(network)) {
    return InvalidArgument("the model restores images, and " + dataset.name +
                           " has classes (--data " + data::DegradedSetNames() + ")");
  }
  if (network.input_h != dataset.height || network.input_w != dataset.width ||
      network.input_c != dataset.channels) {
    return InvalidArgument(fmt::format(
        "the model takes {}x{}x{} pixels, {} has {}x{}x{}", network.input_h, network.input_w,
        network.input_c, dataset.name, dataset.height, dataset.width, dataset.channels));
  }
  if (network.labels.size() != dataset.labels.size()) {
    return InvalidArgument(fmt::format("the model has {} classes, {} has {}", network.labels.size(),
                                       dataset.name, dataset.labels.size()));
  }
  if (network.labels != dataset.labels) {
    spdlog::warn("the model's labels are not those of {}: is it the right data?", dataset.name);
  }
  return OkStatus();
}

// The point on one device, and where more are asked for on those too; they must agree.
Result<Json> EvaluatePoint(PreparedShares& shares, const model::OperatingPoint& point,
                           const data::Dataset& dataset, const Options& options) {
  const auto classes = static_cast<int>(shares.network().labels.size());
  BRAID_ASSIGN_OR_RETURN(const PointPlan plan, PointPlan::Make(shares, point, 1, options.batch));
  BRAID_ASSIGN_OR_RETURN(const Evaluation result,
                         Evaluate(plan, dataset, classes, options.batch, options.threads));
  Json report = {{"name", point.name},
                 {"accuracy", static_cast<double>(result.correct) / dataset.count},
                 {"correct", result.correct},
                 {"macs", point.macs_mean},
                 {"macs_worst", point.macs_worst},
                 {"weight_bytes", point.weight_bytes},
                 {"card_accuracy", point.accuracy},
                 {"logits_digest", result.logits_digest},
                 {"ips", dataset.count / std::max(result.seconds, 1e-9)}};
  if (options.devices <= 1) return report;
  BRAID_ASSIGN_OR_RETURN(const PointPlan spread,
                         PointPlan::Make(shares, point, options.devices, options.batch));
  BRAID_ASSIGN_OR_RETURN(const Evaluation other,
                         Evaluate(spread, dataset, classes, options.batch, options.threads));
  const auto differs =
      std::mismatch(result.logits.begin(), result.logits.end(), other.logits.begin()).first;
  report["equal"] = differs == result.logits.end();
  report["first_difference"] = differs == result.logits.end()
                                   ? Json()
                                   : Json({{"image", (differs - result.logits.begin()) / classes},
                                           {"class", (differs - result.logits.begin()) % classes}});
  return report;
}

void PrintPoints(const Json& report) {
  std::vector<std::vector<std::string>> rows = {
      {"point", "accuracy", "MMAC", "weights KB", "images/s"}};
  for (const Json& point : report["operating_points"]) {
    rows.push_back({point["name"], fmt::format("{:.2f} %", 100 * point["accuracy"].get<double>()),
                    fmt::format("{:.3f}", point["macs"].get<double>() / 1e6),
                    fmt::format("{:.1f}", point["weight_bytes"].get<double>() / 1e3),
                    fmt::format("{:.0f}", point["ips"].get<double>())});
    if (!point.contains("equal")) continue;
    rows.front().resize(5);
    rows.front().push_back("devices");
    rows.back().push_back(point["equal"].get<bool>() ? "equal" : "DIFFER");
  }
  fmt::print("{}: {} images of {} {} (data {}), kernels {}\n", report["model"].get<std::string>(),
             report["images"].get<int>(), report["dataset"].get<std::string>(),
             report["split"].get<std::string>(),
             report["data_digest"].get<std::string>().substr(0, 12),
             report["kernels"].get<std::string>());
  PrintTable(rows, {1, 2, 3, 4});
}

Status Eval(Options options) {
  if (data::IsDegradedSet(options.data.name)) {
    return EvaluateRestoration({options.model, options.data.name, options.points,
                                options.data.limit, options.threads, options.json});
  }
  if (options.threads == 0) {
    options.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  }
  BRAID_ASSIGN_OR_RETURN(const kernels::Path path, ChoosePath(options.model.kernels));
  BRAID_ASSIGN_OR_RETURN(const model::ModelFile file, model::ReadModelFile(options.model.model));
  const model::Network& network = file.network;
  BRAID_ASSIGN_OR_RETURN(const auto points, ChoosePoints(network, options.points));
  BRAID_ASSIGN_OR_RETURN(const data::Dataset dataset, LoadData(options.data));
  BRAID_RETURN_IF_ERROR(CheckFits(network, dataset));

  Json report = {
      {"model", options.model.model}, {"model_digest", file.digest}, {"network", network.name}};
  DescribeData(dataset, report);
  report["kernels"] = kernels::PathName(path);
  report["batch"] = options.batch;
  report["devices"] = options.devices;
  report["threads"] = options.threads;
  report["operating_points"] = Json::array();
  PreparedShares shares(network, path);
  bool all_equal = true;
  for (const model::OperatingPoint* point : points) {
    BRAID_ASSIGN_OR_RETURN(Json row, EvaluatePoint(shares, *point, dataset, options));
    all_equal = all_equal && row.value("equal", true);
    report["operating_points"].push_back(std::move(row));
  }
  if (options.json) {
    PrintJson(report);
  } else {
    PrintPoints(report);
  }
  if (!all_equal) return DataLoss("several devices gave other logits than one: this is a bug");
  return OkStatus();
}

}  // namespace

void AddEvalCommand(CLI::App& program, Work& work) {
  auto options = std::make_shared<Options>();
  CLI::App* eval = program.add_subcommand("eval", "Accuracy and cost of operating points on data");
  AddModelOptions(*eval, options->model, true);
  AddDataOptions(*eval, options->data, true);
  eval->add_option("--points", options->points, "Only these (g0 g0+1 g0,1 ...); else all")
      ->type_name("NAME...");
  eval->add_option("--devices", options->devices, "Also divided over N devices; must be equal")
      ->check(CLI::Range(1, kMaxGroups))
      ->capture_default_str()
      ->type_name("N");
  eval->add_option("--batch", options->batch, "Images that share one run")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str()
      ->type_name("N");
  eval->add_option("--threads", options->threads, "0: one a core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str()
      ->type_name("N");
  eval->add_flag("--json", options->json, "Report as one JSON document");
  eval->callback([options, &work] { work = [options] { return Eval(*options); }; });
}

}  // namespace braid::cli
