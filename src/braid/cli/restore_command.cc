// braid restore: fewer coding artefacts in one picture, in this process. Layer: cli.
#include <memory>

#include "braid/cli/commands.h"
#include "braid/cli/picture_restoration.h"

namespace braid::cli {

void AddRestoreCommand(CLI::App& program, Work& work) {
  auto options = std::make_shared<PictureOptions>();
  CLI::App* restore = program.add_subcommand("restore", "Restore a coded picture (fewer artefacts)");
  AddPictureOptions(*restore, *options);
  restore->callback([options, &work] { work = [options] { return RestorePicture(*options); }; });
}

}  // namespace braid::cli
