#include "braid/cli/sibling_program.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "braid/cli/child_process.h"

namespace braid::cli {

Status BecomeSibling(const std::string& name, const std::vector<std::string>& arguments,
                     const std::string& built_where) {
  const std::string self = SelfPath();
  const std::string program = self.substr(0, self.rfind('/') + 1) + name;
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(program.c_str(), argv.data());
  if (errno == ENOENT) {
    return FailedPrecondition(program + " is not there: it is built only where " + built_where);
  }
  return Internal(program + ": cannot start: " + std::strerror(errno));
}

}  // namespace braid::cli
