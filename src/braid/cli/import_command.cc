// braid import: an ONNX classifier to an integer model, with the user's pictures. Layer: cli.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>

#include "braid/base/file.h"
#include "braid/cli/commands.h"
#include "braid/cli/data_options.h"
#include "braid/cli/report.h"
#include "braid/convert/import_onnx.h"
#include "braid/convert/onnx_graph.h"
#include "braid/data/image_file.h"
#include "braid/model/file.h"

namespace braid::cli {
namespace {

DataOptions CalibrationDefaults() {
  DataOptions data;
  data.split = "train";
  data.limit = 256;
  return data;
}

// Inputs of 0..1.
convert::ImportOptions PixelsToOne() {
  convert::ImportOptions options;
  options.mean = {0};
  options.std = {255};
  return options;
}

struct Options {
  std::string onnx, out;
  DataOptions data = CalibrationDefaults();
  std::string folder;
  std::vector<int> size;  // height, width, channels: for a folder
  convert::ImportOptions import = PixelsToOne();
  std::string steps = "channel";
  bool json = false;
};

// Pictures of `folder`, in the order of their names.
Result<data::Dataset> ReadFolder(const Options& options) {
  if (options.size.size() != 3) return InvalidArgument("--calibration-folder needs --size H,W,C");
  data::Dataset set;
  set.name = options.folder;
  set.height = options.size[0], set.width = options.size[1], set.channels = options.size[2];
  std::error_code error;
  std::vector<std::string> files;
  std::filesystem::directory_iterator at(options.folder, error);
  if (error) return NotFound(options.folder + ": " + error.message());
  for (; at != std::filesystem::directory_iterator(); at.increment(error)) {
    if (error) return Internal(options.folder + ": " + error.message());
    if (at->is_regular_file(error)) files.push_back(at->path().string());
  }
  std::sort(files.begin(), files.end());
  if (options.data.limit > 0 && files.size() > static_cast<size_t>(options.data.limit)) {
    files.resize(static_cast<size_t>(options.data.limit));
  }
  for (const std::string& file : files) {
    BRAID_ASSIGN_OR_RETURN(
        const std::vector<uint8_t> pixels,
        data::ReadImageFile(file, {.height = set.height, .width = set.width,
                                   .channels = set.channels}));
    set.images.insert(set.images.end(), pixels.begin(), pixels.end());
    ++set.count;
  }
  if (set.count == 0) return NotFound(options.folder + ": no pictures in it");
  return set;
}

// A model's name from a file's: what is not allowed in one becomes '_'.
std::string NameOf(const std::string& path) {
  std::string name = std::filesystem::path(path).stem().string().substr(0, 100);
  for (char& c : name) {
    const bool fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      c == '_' || c == '-';
    if (!fine) c = '_';
  }
  return name.empty() || name[0] == '-' ? "imported" + name : name;
}

void Print(const Json& report) {
  fmt::print("{}: {} of {} pictures have the float network's class\n",
             report["model"].get<std::string>(),
             std::lround(report["same_class"].get<double>() * report["compared"].get<double>()),
             report["compared"].get<int>());
  std::vector<std::vector<std::string>> rows = {
      {"layer", "op", "bound", "clipped", "step", "weight step", "error"}};
  for (const Json& layer : report["layers"]) {
    rows.push_back({layer["name"], layer["op"],
                    layer["bound"].is_null() ? "" : fmt::format("{:.4g}", layer["bound"].get<double>()),
                    fmt::format("{:.3f} %", 100 * layer["clipped_share"].get<double>()),
                    fmt::format("{:.3g}", layer["step"].get<double>()),
                    layer["weight_step"].is_null()
                        ? ""
                        : fmt::format("{:.3g}", layer["weight_step"].get<double>()),
                    fmt::format("{:.2f} %", 100 * layer["error"].get<double>())});
  }
  PrintTable(rows, {2, 3, 4, 5, 6});
  if (const auto offset = report["padding_offset"].get<double>(); offset > 0) {
    fmt::print("note: the network pads with 0, Braid with pixel 128, which is {:.3g} here: results "
               "at the border differ\n",
               offset);
  }
}

Status Import(Options options) {
  BRAID_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes,
                         ReadFile(options.onnx, convert::kMaxOnnxBytes));
  data::Dataset pictures;
  if (!options.folder.empty()) {
    BRAID_ASSIGN_OR_RETURN(pictures, ReadFolder(options));
  } else {
    BRAID_ASSIGN_OR_RETURN(pictures, LoadData(options.data));
  }
  convert::ImportOptions& import = options.import;
  import.step_per_layer = options.steps == "layer";
  import.name = NameOf(options.out);
  import.labels = pictures.labels;
  import.source = std::filesystem::path(options.onnx).filename().string();
  import.calibration = options.folder.empty()
                           ? fmt::format("{} {}", pictures.name, pictures.split)
                           : "a folder of pictures";
  const Result<convert::ImportedModel> imported = convert::ImportOnnx(
      bytes,
      {.pixels = pictures.images,
       .count = pictures.count,
       .height = pictures.height,
       .width = pictures.width,
       .channels = pictures.channels},
      import);
  if (!imported.ok()) return imported.status().WithContext(options.onnx);
  BRAID_RETURN_IF_ERROR(model::WriteModelFile(imported->network, options.out));
  BRAID_ASSIGN_OR_RETURN(const model::ModelFile written, model::ReadModelFile(options.out));

  Json report = {{"onnx", options.onnx},
                 {"model", options.out},
                 {"model_digest", written.digest},
                 {"network", imported->network.name},
                 {"calibration_images", pictures.count},
                 {"rank", import.rank},
                 {"steps", options.steps},
                 {"compared", imported->compared},
                 {"same_class", imported->same_class},
                 {"padding_offset", imported->padding_offset},
                 {"layers", Json::array()}};
  for (const convert::LayerReport& layer : imported->layers) {
    report["layers"].push_back(
        {{"name", layer.name},
         {"op", layer.op},
         {"bound", layer.bound > 0 ? Json(layer.bound) : Json()},
         {"clipped_share", layer.clipped_share},
         {"step", layer.step},
         {"weight_step", layer.weight_step > 0 ? Json(layer.weight_step) : Json()},
         {"error", layer.error}});
  }
  if (options.json) {
    PrintJson(report);
  } else {
    Print(report);
  }
  return OkStatus();
}

}  // namespace

void AddImportCommand(CLI::App& program, Work& work) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("import", "Make an integer model of an ONNX classifier");
  command->add_option("onnx", options->onnx, "The .onnx file")->required()->type_name("FILE");
  command->add_option("--out", options->out, "The .braid file to write")
      ->required()
      ->type_name("FILE");
  CLI::Option* data = command->add_option("--calibration", options->data.name,
                                          "Data set whose images set the bounds");
  CLI::Option* folder = command->add_option("--calibration-folder", options->folder,
                                            "Folder of PNG or JPEG pictures instead");
  data->excludes(folder);
  command->add_option("--size", options->size, "Height, width, channels of a folder's pictures")
      ->delimiter(',')
      ->expected(3)
      ->needs(folder)
      ->check(CLI::Range(1, 16384));
  command->add_option("--split", options->data.split, "train or test")
      ->check(CLI::IsMember({"train", "test"}))
      ->capture_default_str();
  command->add_option("--limit", options->data.limit, "Pictures used, from the first")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_option("--data-seed", options->data.seed, "Of generated data")
      ->capture_default_str();
  command->add_flag("--offline", options->data.offline, "Never download");
  command->add_option("--mean", options->import.mean,
                      "The network's input is (pixel - mean) / std; one value or one a channel")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--std", options->import.std)->delimiter(',')->capture_default_str();
  command->add_option("--rank", options->import.rank, "Rank fraction of the bounds")
      ->check(CLI::Range(0.995, 1.0))
      ->capture_default_str();
  command->add_option("--steps", options->steps, "Weight steps: one a channel, or one a layer")
      ->check(CLI::IsMember({"channel", "layer"}))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Report as one JSON document");
  command->callback([options, data, folder, &work] {
    if (data->empty() && folder->empty()) {
      throw CLI::RequiredError("--calibration or --calibration-folder");
    }
    work = [options] { return Import(*options); };
  });
}

}  // namespace braid::cli
