#include "braid/data/dataset.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "braid/base/digest.h"
#include "braid/data/catalog.h"
#include "braid/data/digits.h"
#include "braid/data/published.h"
#include "braid/data/shapes.h"

namespace braid::data {

void SetDigest(Dataset& dataset) {
  // The digest of the two digests: neither a copy of 180 MB nor an ambiguous joint is needed.
  std::array<uint8_t, 64> both;
  const Sha256Digest images = Sha256(dataset.images);
  const Sha256Digest targets = Sha256(dataset.targets);
  std::copy(images.begin(), images.end(), both.begin());
  std::copy(targets.begin(), targets.end(), both.begin() + 32);
  dataset.digest = ToHex(Sha256(both));
}

std::vector<std::string> DefaultFolders() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  std::vector<std::string> folders;
  if (const std::string data = variable("BRAID_DATA"); !data.empty()) folders.push_back(data);
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty()) {
    folders.push_back(cache + "/braid");
  } else if (const std::string home = variable("HOME"); !home.empty()) {
    folders.push_back(home + "/.cache/braid");
  }
  return folders;
}

Result<Dataset> Load(const std::string& name, const std::string& split,
                     const LoadOptions& options) {
  const CatalogEntry* entry = FindEntry(name);
  if (entry == nullptr) {
    return InvalidArgument("data set '" + name + "' is unknown; known are " + CatalogNames());
  }
  if (split != "train" && split != "test") {
    return InvalidArgument("split '" + split + "' is unknown; known are train, test");
  }
  if (entry->form != Form::kGenerated) return LoadPublished(*entry, split, options);
  if (options.count < 0) return InvalidArgument("a negative number of images was asked for");
  const int usual = split == "train" ? entry->train_count : entry->test_count;
  const int count = options.count > 0 ? options.count : usual;
  Dataset dataset;
  dataset.name = entry->name;
  dataset.split = split;
  dataset.height = entry->height;
  dataset.width = entry->width;
  dataset.channels = entry->channels;
  dataset.labels = entry->labels;
  if (name == "digits") {
    DrawDigits(options.seed, split == "test", count, dataset);
  } else {
    DrawShapes(options.seed, split == "test", count, dataset);
  }
  SetDigest(dataset);
  return dataset;
}

}  // namespace braid::data
