// braid train: starts braid-train, which lies beside this program and needs libtorch. Layer: cli.
#include "braid/cli/commands.h"
#include "braid/cli/sibling_program.h"

namespace braid::cli {

void AddTrainCommand(CLI::App& program, Work& work) {
  CLI::App* train = program.add_subcommand("train", "Train a network (starts braid-train)");
  // Everything after `train`, --help too, is braid-train's.
  train->set_help_flag();
  train->prefix_command();
  train->callback([train, &work] {
    // braid-train has other sub-commands as well, and requires one.
    std::vector<std::string> arguments = train->remaining();
    arguments.insert(arguments.begin(), "train");
    work = [arguments] {
      return BecomeSibling("braid-train", arguments,
                           "libtorch is (cmake preset 'train', or ./braid train from the source "
                           "tree)");
    };
  });
}

}  // namespace braid::cli
