// braid enlarge: super-resolution of one picture, in this process. Layer: cli.
#include <memory>

#include "braid/cli/commands.h"
#include "braid/cli/picture_restoration.h"

namespace braid::cli {

void AddEnlargeCommand(CLI::App& program, Work& work) {
  auto options = std::make_shared<PictureOptions>();
  options->scale = 2;
  CLI::App* enlarge = program.add_subcommand("enlarge", "Enlarge a picture (super-resolution)");
  AddPictureOptions(*enlarge, *options);
  enlarge->add_option("--scale", options->scale, "2, 3 or 4 times as high and wide")
      ->check(CLI::IsMember({2, 3, 4}))
      ->capture_default_str()
      ->type_name("N");
  enlarge->callback([options, &work] { work = [options] { return RestorePicture(*options); }; });
}

}  // namespace braid::cli
