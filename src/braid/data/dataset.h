// Labelled images in memory, and where they come from. Layer: data.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "braid/base/status.h"

namespace braid::data {

// A file that a split was read from. Files in a user's folder may be re-compressed or corrected
// copies, so an unknown digest is reported, not refused; downloads must match.
struct SourceFile {
  std::string path;
  std::string sha256;  // of the file's bytes, hex
  bool known = false;  // whether it is one of the published (or documented) digests
};

// One split of a data set, held whole.
struct Dataset {
  std::string name;    // "mnist", "fashion-mnist", "cifar10", "digits", "shapes"
  std::string split;   // "train" or "test"
  std::string digest;  // hex; SetDigest: reports name the data they used
  int count = 0;
  int height = 0, width = 0, channels = 0;
  std::vector<std::string> labels;  // one per class
  std::vector<uint8_t> images;      // [count, height, width, channels]
  std::vector<uint8_t> targets;     // [count], each < labels.size()
  std::vector<SourceFile> sources;  // empty for generators

  size_t ImageBytes() const {
    return static_cast<size_t>(height) * static_cast<size_t>(width) * static_cast<size_t>(channels);
  }
  std::span<const uint8_t> Image(int index) const {
    return std::span(images).subspan(static_cast<size_t>(index) * ImageBytes(), ImageBytes());
  }
};

struct LoadOptions {
  // Folders searched for <folder>/<name>/..., in order, before the download. Filled by
  // DefaultFolders() in programs; tests pass their own.
  std::vector<std::string> folders;
  // Whether a missing archive may be fetched (with checksum) into the last folder.
  bool allow_download = false;
  // Generators only: the seed and how many images to make (0: the default size).
  uint64_t seed = 1;
  int count = 0;
  // CIFAR-10 only: records in each file. Tests read small ones.
  int cifar_records_per_file = 10000;
};

// Sets `digest`: SHA-256 of the SHA-256 of the images and the SHA-256 of the targets.
void SetDigest(Dataset& dataset);

// $BRAID_DATA, then $XDG_CACHE_HOME/braid (or ~/.cache/braid).
std::vector<std::string> DefaultFolders();

// Loads or generates one split. NOT_FOUND when no folder has it (the message lists where it
// looked), DATA_LOSS for a damaged file (the message names file, position and what is wrong).
Result<Dataset> Load(const std::string& name, const std::string& split, const LoadOptions& options);

}  // namespace braid::data
