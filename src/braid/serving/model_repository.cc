#include "braid/serving/model_repository.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <tuple>

#include "braid/serving/catalog.h"

namespace braid::serving {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModelFile = "model.braid";

bool IsModelName(const std::string& name) {
  return !name.empty() && name.front() != '.' &&
         std::ranges::all_of(name, [](unsigned char c) { return std::isprint(c) != 0; });
}

}  // namespace

Result<std::vector<RepositoryEntry>> ScanRepository(const std::string& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) return NotFound("model repository " + folder + ": no folder");
  std::vector<RepositoryEntry> found;
  for (fs::directory_iterator model(folder, error), end; !error && model != end;
       model.increment(error)) {
    const std::string name = model->path().filename().string();
    std::error_code inner;
    if (!IsModelName(name) || !model->is_directory(inner)) continue;
    for (fs::directory_iterator version(model->path(), inner); !inner && version != end;
         version.increment(inner)) {
      const std::string number = version->path().filename().string();
      const fs::path file = version->path() / kModelFile;
      std::error_code missing;
      if (ParseVersion(number) < 0 || !fs::is_regular_file(file, missing)) continue;
      found.push_back({name, number, file.string()});
    }
  }
  if (error) return Internal("model repository " + folder + ": " + error.message());
  if (found.empty()) {
    return InvalidArgument("model repository " + folder + ": holds no NAME/VERSION/" + kModelFile);
  }
  std::ranges::sort(found, {}, [](const RepositoryEntry& entry) {
    return std::tuple(entry.name, ParseVersion(entry.version));
  });
  return found;
}

}  // namespace braid::serving
