// Programs that lie beside this one and do part of its commands. Layer: cli.
#pragma once

#include <string>
#include <vector>

#include "braid/base/status.h"

namespace braid::cli {

// Becomes the program `name` of this program's own folder; returns only on an error.
// FAILED_PRECONDITION where it is not there: `built_where` then says what builds it.
Status BecomeSibling(const std::string& name, const std::vector<std::string>& arguments,
                     const std::string& built_where);

}  // namespace braid::cli
