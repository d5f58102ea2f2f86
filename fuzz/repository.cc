// A folder of models whose layout is anybody's: each line of an input is the path of an empty file.
#include <fstream>
#include <set>

#include "braid/base/check.h"
#include "braid/serving/catalog.h"
#include "braid/serving/model_repository.h"
#include "fuzz/scratch_folder.h"
#include "fuzz/targets.h"

namespace braid::fuzz {
namespace {

namespace fs = std::filesystem;

// Whether the path stays in the folder that it is taken from.
bool StaysInside(const fs::path& path) {
  if (path.empty() || path.is_absolute()) return false;
  for (const fs::path& part : path) {
    if (part == ".." || part.native().find('\0') != std::string::npos) return false;
  }
  return true;
}

void Run(std::span<const uint8_t> input) {
  static const ScratchFolder folder("repository");
  const fs::path root = folder.path() / "models";
  std::error_code error;
  fs::remove_all(root, error);
  fs::create_directories(root);
  std::string_view text = ToText(input);
  for (int files = 0; files < 16 && !text.empty(); ++files) {
    const size_t end = text.find('\n');
    const fs::path path(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!StaysInside(path)) continue;
    fs::create_directories((root / path).parent_path(), error);
    if (!error) std::ofstream(root / path).put('x');
  }
  const auto found = serving::ScanRepository(root.string());
  if (!found.ok()) return;
  std::set<std::pair<std::string, int64_t>> seen;
  for (const serving::RepositoryEntry& entry : *found) {
    BRAID_CHECK(fs::exists(entry.path)) << entry.path;
    const int64_t version = serving::ParseVersion(entry.version);
    BRAID_CHECK(version > 0 && seen.emplace(entry.name, version).second) << entry.path;
  }
}

std::vector<Bytes> Seeds() {
  return {ToBytes("digits/1/model.braid\ndigits/12/model.braid\n"),
          ToBytes("a/1/model.braid\n.b/1/model.braid\nc/01/model.braid\nd/1/other\ne\n"),
          ToBytes("a/1/model.braid/x\n")};
}

}  // namespace

const Target kRepository = {"repository", Run, Seeds};

}  // namespace braid::fuzz
