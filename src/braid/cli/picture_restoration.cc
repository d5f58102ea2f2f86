#include "braid/cli/picture_restoration.h"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <vector>

#include "braid/base/file.h"
#include "braid/cli/report.h"
#include "braid/cli/restoration.h"
#include "braid/data/image_file.h"
#include "braid/data/super_resolution/colour.h"
#include "braid/model/file.h"
#include "braid/runtime/restorer.h"

namespace braid::cli {

void AddPictureOptions(CLI::App& command, PictureOptions& options) {
  command.add_option("picture", options.picture, "PNG or JPEG")->required()->type_name("FILE");
  AddModelOptions(command, options.model, true);
  command.add_option("--out", options.out, "The PNG to write")->required()->type_name("FILE");
  command.add_option("--point", options.point, "Operating point; else the last")
      ->type_name("NAME");
  command.add_option("--threads", options.threads, "0: one a core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str()
      ->type_name("N");
  command
      .add_option("--tile", options.tile, "Side of the tiles that bound memory; 0: 256 or more")
      ->check(CLI::Range(0, 16384))
      ->capture_default_str()
      ->type_name("PIXELS");
  command.add_flag("--json", options.json, "Report as one JSON document");
}

Status RestorePicture(const PictureOptions& options) {
  BRAID_ASSIGN_OR_RETURN(const kernels::Path path, ChoosePath(options.model.kernels));
  BRAID_ASSIGN_OR_RETURN(const model::ModelFile file, model::ReadModelFile(options.model.model));
  std::vector<std::string> names;
  if (!options.point.empty()) names.push_back(options.point);
  BRAID_ASSIGN_OR_RETURN(const auto points, ChoosePoints(file.network, names));
  const model::OperatingPoint& point = *points.back();
  BRAID_ASSIGN_OR_RETURN(
      const std::unique_ptr<runtime::Restorer> restorer,
      runtime::Restorer::Make(
          file.network, point,
          {.path = path, .threads = {.count = options.threads}, .tile = options.tile}));
  BRAID_ASSIGN_OR_RETURN(const data::Picture picture, data::ReadPicture(options.picture));
  const auto start = std::chrono::steady_clock::now();
  BRAID_ASSIGN_OR_RETURN(const data::Picture restored,
                         data::EnlargePicture(picture, options.scale, RestoreWith(*restorer)));
  const double ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  BRAID_ASSIGN_OR_RETURN(const std::vector<uint8_t> png,
                         data::EncodePng(restored.pixels, restored.size));
  BRAID_RETURN_IF_ERROR(WriteFileAtomically(options.out, png));
  if (!options.json) {
    fmt::print("{}: {}x{}, {} of {}, {:.0f} ms\n", options.out, restored.size.width,
               restored.size.height, point.name, file.network.name, ms);
    return OkStatus();
  }
  PrintJson({{"model", options.model.model},
             {"model_digest", file.digest},
             {"network", file.network.name},
             {"operating_point", point.name},
             {"kernels", kernels::PathName(path)},
             {"picture", options.picture},
             {"scale", options.scale},
             {"out", options.out},
             {"height", restored.size.height},
             {"width", restored.size.width},
             {"ms", ms}});
  return OkStatus();
}

}  // namespace braid::cli
