// A folder of models as Triton lays it out: NAME/VERSION/model.braid. Layer: serving.
#pragma once

#include <string>
#include <vector>

#include "braid/base/status.h"

namespace braid::serving {

struct RepositoryEntry {
  std::string name;
  std::string version;  // as ParseVersion takes it
  std::string path;     // of model.braid
};

// Every version that has its file, by name and then by number. Folders whose name is no version and
// versions without the file are passed over: a version is published by renaming a complete folder,
// or the file in it, into place. Names have at most 255 printable characters without '/' and do not
// begin with a dot. NOT_FOUND (no such folder), INVALID_ARGUMENT (no model in it).
Result<std::vector<RepositoryEntry>> ScanRepository(const std::string& folder);

}  // namespace braid::serving
