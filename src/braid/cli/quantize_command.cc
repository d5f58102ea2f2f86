// braid quantize, also called braid import: an ONNX network to an integer model, with the user's
// pictures, or measured in one of the schemes that it is compared with. Layer: cli.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>

#include "braid/base/file.h"
#include "braid/cli/commands.h"
#include "braid/cli/data_options.h"
#include "braid/cli/report.h"
#include "braid/convert/import_onnx.h"
#include "braid/convert/onnx_graph.h"
#include "braid/convert/scheme_report.h"
#include "braid/data/image_file.h"
#include "braid/data/super_resolution/luma_image.h"
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
  bool crop = false;
  convert::ImportOptions import = PixelsToOne();
  std::string steps = "channel", scheme = "bounded";
  int test = 0;  // images of the test split
  bool json = false;
};

// The middle of a picture, of its luma where one channel is wanted: what networks that restore images
// are calibrated with.
Result<std::vector<uint8_t>> MiddleOf(const std::string& file, const data::ImageSize& size) {
  BRAID_ASSIGN_OR_RETURN(data::Picture picture, data::ReadPicture(file));
  if (picture.size.channels == 3 && size.channels == 1) {
    picture.pixels = data::LumaOfRgb(picture.pixels);
    picture.size.channels = 1;
  }
  if (picture.size.channels != size.channels || picture.size.height < size.height ||
      picture.size.width < size.width) {
    return InvalidArgument(fmt::format("{}: {}x{}x{} pixels, and --size wants {}x{}x{} of them", file,
                                       picture.size.height, picture.size.width, picture.size.channels,
                                       size.height, size.width, size.channels));
  }
  const auto channels = static_cast<size_t>(size.channels);
  const auto top = static_cast<size_t>((picture.size.height - size.height) / 2);
  const auto left = static_cast<size_t>((picture.size.width - size.width) / 2);
  const size_t row = static_cast<size_t>(size.width) * channels;
  std::vector<uint8_t> middle;
  for (size_t y = 0; y < static_cast<size_t>(size.height); ++y) {
    const size_t first = ((top + y) * static_cast<size_t>(picture.size.width) + left) * channels;
    middle.insert(middle.end(), picture.pixels.begin() + static_cast<ptrdiff_t>(first),
                  picture.pixels.begin() + static_cast<ptrdiff_t>(first + row));
  }
  return middle;
}

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
    const data::ImageSize size = {
        .height = set.height, .width = set.width, .channels = set.channels};
    BRAID_ASSIGN_OR_RETURN(const std::vector<uint8_t> pixels,
                           options.crop ? MiddleOf(file, size) : data::ReadImageFile(file, size));
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

void PrintLayers(const Json& layers) {
  std::vector<std::vector<std::string>> rows = {
      {"layer", "op", "bound", "clipped", "step", "weight step", "error", "SQNR"}};
  const auto number = [](const Json& value, const char* form) {
    return value.is_null() ? std::string() : fmt::format(fmt::runtime(form), value.get<double>());
  };
  for (const Json& layer : layers) {
    rows.push_back({layer["name"], layer["op"], number(layer["bound"], "{:.4g}"),
                    fmt::format("{:.3f} %", 100 * layer["clipped_share"].get<double>()),
                    number(layer["step"], "{:.3g}"), number(layer["weight_step"], "{:.3g}"),
                    fmt::format("{:.2f} %", 100 * layer["error"].get<double>()),
                    number(layer["sqnr_db"], "{:.1f} dB")});
  }
  PrintTable(rows, {2, 3, 4, 5, 6, 7});
}

void Print(const Json& report) {
  if (report.contains("model")) {
    if (report["same_class"].is_null()) {
      fmt::print("{}: restores images; {:.2f} % of the pixels of {} pictures are the float network's\n",
                 report["model"].get<std::string>(), 100 * report["same_pixels"].get<double>(),
                 report["compared"].get<int>());
    } else {
      fmt::print("{}: {} of {} pictures have the float network's class\n",
                 report["model"].get<std::string>(),
                 std::lround(report["same_class"].get<double>() * report["compared"].get<double>()),
                 report["compared"].get<int>());
    }
    PrintLayers(report["layers"]);
    if (const auto offset = report["padding_offset"].get<double>(); offset > 0) {
      fmt::print("note: the network pads with 0, Braid with the nearest pixel, which is {:.3g} off: "
                 "results at the border differ by that\n",
                 offset);
    }
  }
  if (report.contains("test")) {
    const Json& test = report["test"];
    fmt::print("{} scheme, {} bits, {} test images: float {:.2f} %, integer {:.2f} %, same class "
               "{:.2f} %\n",
               report["scheme"].get<std::string>(), report["bits"].get<int>(),
               test["images"].get<int>(), 100 * test["float_accuracy"].get<double>(),
               100 * test["accuracy"].get<double>(), 100 * test["same_class"].get<double>());
    PrintLayers(test["layers"]);
  }
}

Json DescribeLayers(const std::vector<convert::LayerReport>& layers) {
  Json described = Json::array();
  for (const convert::LayerReport& layer : layers) {
    described.push_back(
        {{"name", layer.name},
         {"op", layer.op},
         {"bound", layer.bound > 0 ? Json(layer.bound) : Json()},
         {"clipped_share", layer.clipped_share},
         {"step", layer.step},
         {"weight_step", layer.weight_step > 0 ? Json(layer.weight_step) : Json()},
         {"error", layer.error},
         {"sqnr_db", layer.error > 0 ? Json(-20 * std::log10(layer.error)) : Json()}});
  }
  return described;
}

convert::Pictures PicturesOf(const data::Dataset& set) {
  return {.pixels = set.images,
          .count = set.count,
          .height = set.height,
          .width = set.width,
          .channels = set.channels};
}

// Writes the .braid file and reports on it.
Status WriteModel(const Options& options, const std::vector<uint8_t>& onnx,
                  const data::Dataset& pictures, Json& report) {
  const Result<convert::ImportedModel> imported =
      convert::ImportOnnx(onnx, PicturesOf(pictures), options.import);
  if (!imported.ok()) return imported.status().WithContext(options.onnx);
  BRAID_RETURN_IF_ERROR(model::WriteModelFile(imported->network, options.out));
  BRAID_ASSIGN_OR_RETURN(const model::ModelFile written, model::ReadModelFile(options.out));
  report["model"] = options.out;
  report["model_digest"] = written.digest;
  report["network"] = imported->network.name;
  report["compared"] = imported->compared;
  report["same_class"] = imported->restores ? Json() : Json(imported->same_answers);
  report["same_pixels"] = imported->restores ? Json(imported->same_answers) : Json();
  report["padding_offset"] = imported->padding_offset;
  report["layers"] = DescribeLayers(imported->layers);
  return OkStatus();
}

// Accuracy on the test split, in the integers of the chosen scheme.
Status MeasureOnTest(const Options& options, const std::vector<uint8_t>& onnx,
                     const data::Dataset& pictures, Json& report) {
  static const std::map<std::string, convert::Scheme> kSchemes = {
      {"bounded", convert::Scheme::kBounded},
      {"minmax", convert::Scheme::kMinMax},
      {"entropy", convert::Scheme::kEntropy}};
  DataOptions named = options.data;
  named.split = "test", named.limit = options.test;
  BRAID_ASSIGN_OR_RETURN(const data::Dataset test, LoadData(named));
  const Result<convert::SchemeReport> measured = convert::MeasureScheme(
      onnx, PicturesOf(pictures), {.pictures = PicturesOf(test), .targets = test.targets},
      options.import, kSchemes.at(options.scheme));
  if (!measured.ok()) return measured.status().WithContext(options.onnx);
  const auto share = [&](int part) { return static_cast<double>(part) / measured->images; };
  Json& described = report["test"];
  DescribeData(test, described);
  described["float_accuracy"] = share(measured->float_right);
  described["accuracy"] = share(measured->right);
  described["same_class"] = share(measured->same_class);
  described["layers"] = DescribeLayers(measured->layers);
  return OkStatus();
}

Status Quantize(Options options) {
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
  Json report = {{"onnx", options.onnx},
                 {"scheme", options.scheme},
                 {"bits", import.bits},
                 {"calibration_images", pictures.count},
                 {"rank", import.rank},
                 {"steps", options.steps},
                 {"snapped", import.snap}};
  if (!options.out.empty()) {
    BRAID_RETURN_IF_ERROR(WriteModel(options, bytes, pictures, report));
  }
  if (options.test > 0) {
    BRAID_RETURN_IF_ERROR(MeasureOnTest(options, bytes, pictures, report));
  }
  if (options.json) {
    PrintJson(report);
  } else {
    Print(report);
  }
  return OkStatus();
}

}  // namespace

void AddQuantizeCommand(CLI::App& program, Work& work) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("quantize", "Make an integer model of an ONNX network");
  command->alias("import");
  command->add_option("onnx", options->onnx, "The .onnx file")->required()->type_name("FILE");
  CLI::Option* out = command->add_option("--out", options->out, "The .braid file to write")
                         ->type_name("FILE");
  CLI::Option* data = command->add_option("--calibration,--data", options->data.name,
                                          "Data set whose images set the bounds");
  CLI::Option* folder = command->add_option("--calibration-folder,--images", options->folder,
                                            "Folder of PNG or JPEG pictures instead");
  data->excludes(folder);
  command->add_option("--size", options->size, "Height, width, channels of a folder's pictures")
      ->delimiter(',')
      ->expected(3)
      ->needs(folder)
      ->check(CLI::Range(1, 16384));
  command->add_flag("--crop", options->crop,
                    "Take the middle of larger pictures, and the luma of colour ones for one channel")
      ->needs(folder);
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
      ->check(CLI::Range(0.5, 1.0))
      ->capture_default_str();
  command->add_option("--steps,--step", options->steps, "Weight steps: one a channel, or one a layer")
      ->transform(CLI::CheckedTransformer(std::map<std::string, std::string>{
          {"channel", "channel"}, {"per-channel", "channel"}, {"layer", "layer"},
          {"per-layer", "layer"}}))
      ->capture_default_str();
  command->add_flag("--snap", options->import.snap,
                    "Move bounds to multipliers of few bits (with --steps layer)");
  command->add_option("--test", options->test, "Measure on the first N test images")
      ->needs(data)
      ->check(CLI::Range(1, 1 << 20));
  CLI::Option* bits = command->add_option("--bits", options->import.bits,
                                          "Of weights and maps; fewer than 8 with --test, not --out")
                          ->check(CLI::Range(2, 8))
                          ->capture_default_str();
  CLI::Option* scheme =
      command->add_option("--scheme", options->scheme, "bounded; to compare: minmax, entropy")
          ->check(CLI::IsMember({"bounded", "minmax", "entropy"}))
          ->capture_default_str();
  command->add_flag("--json", options->json, "Report as one JSON document");
  command->callback([options, data, folder, out, bits, scheme, &work] {
    if (data->empty() && folder->empty()) {
      throw CLI::RequiredError("--calibration or --calibration-folder");
    }
    if (out->empty() && options->test == 0) throw CLI::RequiredError("--out or --test");
    if (!out->empty() && (options->import.bits != 8 || options->scheme != "bounded")) {
      throw CLI::ExcludesError(out->get_name(), (options->import.bits != 8 ? bits : scheme)->get_name());
    }
    if (options->import.snap && options->steps != "layer") {
      throw CLI::RequiredError("--steps layer");
    }
    work = [options] { return Quantize(*options); };
  });
}

}  // namespace braid::cli
