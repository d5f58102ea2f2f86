// braid infer: classifies pictures, in this process or by a group of devices. Layer: cli.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "braid/cli/asker.h"
#include "braid/cli/commands.h"
#include "braid/cli/data_options.h"
#include "braid/cli/model_options.h"
#include "braid/cli/report.h"
#include "braid/data/image_file.h"
#include "braid/model/file.h"

namespace braid::cli {
namespace {

struct Options {
  ModelOptions model;
  std::vector<std::string> endpoints;
  std::string model_name;
  std::string local_model;
  bool hedge = false;
  double attempt_timeout_ms = 150;
  double local_reserve_ms = 100;
  std::vector<std::string> files;
  DataOptions data;
  std::string index = "0";
  int batch = 1;
  std::string point;
  double deadline_ms = 1000;
  std::optional<int64_t> max_macs;
  std::optional<double> max_energy_mj;
  std::optional<double> min_accuracy;
  bool strict = false;
  bool json = false;
};

// Pictures of one size, whatever they came from.
struct Pictures {
  std::vector<std::string> names;
  std::vector<uint8_t> pixels;  // [names.size(), H, W, C]
  std::vector<int> targets;     // where the data set says
  std::vector<std::string> labels;
};

// "7" or "3..9", both ends included, below `count`.
Result<std::pair<int, int>> ParseIndex(const std::string& text, int count) {
  const size_t dots = text.find("..");
  const auto number = [](std::string_view part) -> std::optional<int> {
    int value = -1;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc() || end != part.data() + part.size() || value < 0) return std::nullopt;
    return value;
  };
  const std::string_view all = text;
  const std::optional<int> first = number(all.substr(0, dots));
  const std::optional<int> last = dots == std::string::npos ? first : number(all.substr(dots + 2));
  if (!first || !last || *first > *last || *last >= count) {
    return InvalidArgument(fmt::format("--index {}: must be I or I..J below {}", text, count));
  }
  return std::pair(*first, *last);
}

Duration Milliseconds(double ms) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(ms));
}

Result<Pictures> ReadPictures(const Options& options, const client::ModelInfo& model,
                              Json& report) {
  Pictures pictures;
  const data::ImageSize size{model.height, model.width, model.channels};
  for (const std::string& file : options.files) {
    BRAID_ASSIGN_OR_RETURN(const std::vector<uint8_t> pixels, data::ReadImageFile(file, size));
    pictures.pixels.insert(pictures.pixels.end(), pixels.begin(), pixels.end());
    pictures.names.push_back(file);
  }
  if (options.data.name.empty()) return pictures;
  BRAID_ASSIGN_OR_RETURN(const data::Dataset dataset, LoadData(options.data));
  if (dataset.height != size.height || dataset.width != size.width ||
      dataset.channels != size.channels) {
    return InvalidArgument(fmt::format("{}: images are {}x{}x{}, the model takes {}x{}x{}",
                                       dataset.name, dataset.height, dataset.width,
                                       dataset.channels, size.height, size.width, size.channels));
  }
  BRAID_ASSIGN_OR_RETURN(const auto range, ParseIndex(options.index, dataset.count));
  for (int i = range.first; i <= range.second; ++i) {
    const auto image = dataset.Image(i);
    pictures.pixels.insert(pictures.pixels.end(), image.begin(), image.end());
    pictures.names.push_back(fmt::format("{}/{}/{}", dataset.name, dataset.split, i));
    pictures.targets.push_back(dataset.targets[static_cast<size_t>(i)]);
  }
  pictures.labels = dataset.labels;
  report["dataset"] = dataset.name;
  report["split"] = dataset.split;
  report["data_digest"] = dataset.digest;
  return pictures;
}

client::InferRequest RequestFor(const Options& options, const client::ModelInfo& model,
                                const Pictures& pictures, size_t first, size_t count) {
  client::InferRequest request;
  const size_t bytes = pictures.pixels.size() / pictures.names.size();
  const auto begin = pictures.pixels.begin() + static_cast<std::ptrdiff_t>(first * bytes);
  request.pixels.assign(begin, begin + static_cast<std::ptrdiff_t>(count * bytes));
  request.images = static_cast<int>(count);
  request.height = model.height;
  request.width = model.width;
  request.channels = model.channels;
  request.deadline = Milliseconds(options.deadline_ms);
  request.operating_point = options.point;
  request.max_macs = options.max_macs;
  request.max_energy_mj = options.max_energy_mj;
  request.min_accuracy = options.min_accuracy;
  request.strict = options.strict;
  return request;
}

// Appends one entry of the report for each image of `reply`.
void Describe(const client::InferReply& reply, const Pictures& pictures, size_t first,
              Json& images) {
  const size_t classes = reply.logits.size() / static_cast<size_t>(reply.images);
  for (size_t i = 0; i < static_cast<size_t>(reply.images); ++i) {
    const auto label = static_cast<size_t>(reply.classes[i]);
    const auto logits = reply.logits.begin() + static_cast<std::ptrdiff_t>(i * classes);
    Json image = {
        {"file", pictures.names[first + i]},
        {"class", reply.classes[i]},
        {"label", label < pictures.labels.size() ? Json(pictures.labels[label]) : Json()},
        {"logits", std::vector<int32_t>(logits, logits + static_cast<std::ptrdiff_t>(classes))},
        {"operating_point", reply.operating_point},
        {"devices", reply.devices},
        {"macs", reply.macs},
        {"exit", reply.exit},
        {"failovers", reply.failovers},
        {"attempts", reply.attempts},
        {"endpoint", reply.endpoint},
        {"answered_locally", reply.answered_locally},
        {"ms", std::chrono::duration<double, std::milli>(reply.elapsed).count()}};
    if (first + i >= pictures.names.size() - pictures.targets.size()) {
      const size_t target = first + i - (pictures.names.size() - pictures.targets.size());
      image["target"] = pictures.targets[target];
    }
    images.push_back(std::move(image));
  }
}

void PrintImages(const Json& report) {
  std::vector<std::vector<std::string>> rows = {
      {"picture", "class", "label", "point", "devices", "ms"}};
  for (const Json& image : report["images"]) {
    std::string devices;
    for (const Json& device : image["devices"]) {
      if (!devices.empty()) devices += ',';
      devices += device.get<std::string>();
    }
    std::string label = image["label"].is_null() ? "" : image["label"].get<std::string>();
    if (image.contains("target") && image["target"] != image["class"]) {
      label += fmt::format(" (is {})", image["target"].get<int>());
    }
    rows.push_back({image["file"], std::to_string(image["class"].get<int64_t>()), label,
                    image["operating_point"], devices,
                    fmt::format("{:.1f}", image["ms"].get<double>())});
  }
  PrintTable(rows, {1, 5});
}

// The client over --endpoint, with the last resort that --local-model gives it.
Result<std::unique_ptr<Asker>> AskEndpoints(const Options& options, Json& report) {
  client::ClientOptions client;
  client.endpoints = options.endpoints;
  client.model = options.model_name;
  client.deadline = Milliseconds(options.deadline_ms);
  client.hedge = options.hedge;
  client.attempt_timeout = Milliseconds(options.attempt_timeout_ms);
  client.local_reserve = Milliseconds(options.local_reserve_ms);
  report["endpoints"] = options.endpoints;
  std::shared_ptr<LocalNetwork> local;  // as client::ClientOptions::local
  if (!options.local_model.empty()) {
    BRAID_ASSIGN_OR_RETURN(model::ModelFile file, model::ReadModelFile(options.local_model));
    report["local_model"] = options.local_model;
    report["local_model_digest"] = file.digest;
    BRAID_ASSIGN_OR_RETURN(
        local, LocalNetwork::Start(std::move(file), options.model.kernels, options.batch));
  }
  return MakeRemoteAsker(std::move(client), std::move(local));
}

Status Infer(const Options& options) {
  if (options.files.empty() && options.data.name.empty()) {
    return InvalidArgument("nothing to classify: give pictures or --data");
  }
  if (options.endpoints.empty() && !options.local_model.empty()) {
    return InvalidArgument(
        "--local-model is the last resort of --endpoint; to run here give --model");
  }
  if (options.endpoints.empty() && options.model.model.empty()) {
    return InvalidArgument("give --model to run here, or --endpoint to ask devices");
  }
  Json report;
  std::vector<std::string> labels;
  std::unique_ptr<Asker> asker;
  if (!options.model.model.empty()) {
    BRAID_ASSIGN_OR_RETURN(model::ModelFile file, model::ReadModelFile(options.model.model));
    labels = file.network.labels;
    report["model"] = options.model.model;
    report["model_digest"] = file.digest;
    if (options.endpoints.empty()) {
      BRAID_ASSIGN_OR_RETURN(
          auto network, LocalNetwork::Start(std::move(file), options.model.kernels, options.batch));
      asker = MakeLocalAsker(std::move(network));
    }
  }
  if (!options.endpoints.empty()) {
    BRAID_ASSIGN_OR_RETURN(asker, AskEndpoints(options, report));
  }
  report["network"] = asker->model().name;
  BRAID_ASSIGN_OR_RETURN(Pictures pictures, ReadPictures(options, asker->model(), report));
  if (!labels.empty()) pictures.labels = std::move(labels);  // the model's own go first

  report["images"] = Json::array();
  std::set<std::string> points;
  const size_t count = pictures.names.size();
  const auto batch = static_cast<size_t>(options.batch);
  for (size_t first = 0; first < count; first += batch) {
    const size_t here = std::min(batch, count - first);
    BRAID_ASSIGN_OR_RETURN(
        const client::InferReply reply,
        asker->Infer(RequestFor(options, asker->model(), pictures, first, here)));
    Describe(reply, pictures, first, report["images"]);
    points.insert(reply.operating_point);
  }
  // The point of all, null where they differ.
  report["operating_point"] = points.size() == 1 ? Json(*points.begin()) : Json();
  if (options.json) {
    PrintJson(report);
  } else {
    PrintImages(report);
  }
  return OkStatus();
}

void AddClientOptions(CLI::App& infer, Options& options) {
  infer.add_option("--endpoint", options.endpoints, "Front doors of devices; may repeat")
      ->allow_extra_args(false)
      ->type_name("HOST:PORT");
  infer.add_option("--model-name", options.model_name, "Which model to ask for; else any")
      ->type_name("NAME");
  infer.add_flag("--hedge", options.hedge,
                 "Ask another endpoint too after the 95th percentile of latencies");
  infer
      .add_option("--attempt-timeout-ms", options.attempt_timeout_ms,
                  "After which an endpoint is suspected and another one asked")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->type_name("MS");
  infer
      .add_option("--local-model", options.local_model,
                  "A .braid file to run here when no endpoint answers")
      ->type_name("FILE");
  infer
      .add_option("--local-reserve-ms", options.local_reserve_ms,
                  "How long before the deadline --local-model starts")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->type_name("MS");
}

void AddBudgetOptions(CLI::App& infer, Options& options) {
  infer.add_option("--point", options.point, "Exactly this operating point; else the rules choose")
      ->type_name("NAME");
  infer.add_option("--deadline-ms", options.deadline_ms, "Of each request, all attempts")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->type_name("MS");
  infer.add_option("--max-macs", options.max_macs, "Most multiply-adds for an image")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  infer.add_option("--max-energy-mj", options.max_energy_mj, "Most millijoules for an image")
      ->check(CLI::PositiveNumber)
      ->type_name("MJ");
  infer.add_option("--min-accuracy", options.min_accuracy, "Wanted, as a fraction")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("F");
  infer.add_flag("--strict", options.strict, "Rather no answer than below --min-accuracy");
}

}  // namespace

void AddInferCommand(CLI::App& program, Work& work) {
  auto options = std::make_shared<Options>();
  CLI::App* infer = program.add_subcommand("infer", "Classify pictures, here or by devices");
  infer->add_option("pictures", options->files, "PNG or JPEG files of the model's size")
      ->type_name("FILE...");
  AddModelOptions(*infer, options->model, false);
  AddClientOptions(*infer, *options);
  AddDataOptions(*infer, options->data, false);
  infer->add_option("--index", options->index, "Images of --data: I or I..J")
      ->capture_default_str()
      ->type_name("I..J");
  infer->add_option("--batch", options->batch, "Images of one request")
      ->check(CLI::Range(1, 64))
      ->capture_default_str()
      ->type_name("N");
  AddBudgetOptions(*infer, *options);
  infer->add_flag("--json", options->json, "Report as one JSON document");
  infer->callback([options, &work] { work = [options] { return Infer(*options); }; });
}

}  // namespace braid::cli
