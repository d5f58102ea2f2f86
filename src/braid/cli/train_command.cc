// braid train: starts braid-train, which lies beside this program and needs libtorch. Layer: cli.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "braid/cli/child_process.h"
#include "braid/cli/commands.h"

namespace braid::cli {
namespace {

// Becomes braid-train; returns only on an error.
Status Become(const std::vector<std::string>& arguments) {
  const std::string self = SelfPath();
  const std::string program = self.substr(0, self.rfind('/') + 1) + "braid-train";
  // braid-train has other sub-commands as well, and requires one.
  std::vector<char*> argv = {const_cast<char*>(program.c_str()), const_cast<char*>("train")};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(program.c_str(), argv.data());
  if (errno == ENOENT) {
    return FailedPrecondition(program +
                              " is not there: it is built only where libtorch is "
                              "(cmake preset 'train', or ./braid train from the source tree)");
  }
  return Internal(program + ": cannot start: " + std::strerror(errno));
}

}  // namespace

void AddTrainCommand(CLI::App& program, Work& work) {
  CLI::App* train = program.add_subcommand("train", "Train a network (starts braid-train)");
  // Everything after `train`, --help too, is braid-train's.
  train->set_help_flag();
  train->prefix_command();
  train->callback(
      [train, &work] { work = [arguments = train->remaining()] { return Become(arguments); }; });
}

}  // namespace braid::cli
