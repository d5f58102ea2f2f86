// braid enlarge: super-resolution of one picture, in this process. Layer: cli.
#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "braid/base/file.h"
#include "braid/cli/commands.h"
#include "braid/cli/model_options.h"
#include "braid/cli/report.h"
#include "braid/cli/restoration.h"
#include "braid/data/image_file.h"
#include "braid/data/super_resolution/colour.h"
#include "braid/model/file.h"
#include "braid/runtime/restorer.h"

namespace braid::cli {
namespace {

struct Options {
  ModelOptions model;
  std::string picture, out, point;
  int scale = 2, threads = 0, tile = 0;
  bool json = false;
};

Status Enlarge(const Options& options) {
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
  BRAID_ASSIGN_OR_RETURN(const data::Picture enlarged,
                         data::EnlargePicture(picture, options.scale, RestoreWith(*restorer)));
  const double ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  BRAID_ASSIGN_OR_RETURN(const std::vector<uint8_t> png,
                         data::EncodePng(enlarged.pixels, enlarged.size));
  BRAID_RETURN_IF_ERROR(WriteFileAtomically(options.out, png));
  if (!options.json) {
    fmt::print("{}: {}x{}, {} of {}, {:.0f} ms\n", options.out, enlarged.size.width,
               enlarged.size.height, point.name, file.network.name, ms);
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
             {"height", enlarged.size.height},
             {"width", enlarged.size.width},
             {"ms", ms}});
  return OkStatus();
}

}  // namespace

void AddEnlargeCommand(CLI::App& program, Work& work) {
  auto options = std::make_shared<Options>();
  CLI::App* enlarge = program.add_subcommand("enlarge", "Enlarge a picture (super-resolution)");
  enlarge->add_option("picture", options->picture, "PNG or JPEG")->required()->type_name("FILE");
  AddModelOptions(*enlarge, options->model, true);
  enlarge->add_option("--scale", options->scale, "2, 3 or 4 times as high and wide")
      ->check(CLI::IsMember({2, 3, 4}))
      ->capture_default_str()
      ->type_name("N");
  enlarge->add_option("--out", options->out, "The PNG to write")->required()->type_name("FILE");
  enlarge->add_option("--point", options->point, "Operating point; else the last")
      ->type_name("NAME");
  enlarge->add_option("--threads", options->threads, "0: one a core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str()
      ->type_name("N");
  enlarge
      ->add_option("--tile", options->tile, "Side of the tiles that bound memory; 0: 256 or more")
      ->check(CLI::Range(0, 16384))
      ->capture_default_str()
      ->type_name("PIXELS");
  enlarge->add_flag("--json", options->json, "Report as one JSON document");
  enlarge->callback([options, &work] { work = [options] { return Enlarge(*options); }; });
}

}  // namespace braid::cli
