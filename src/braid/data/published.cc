#include "braid/data/published.h"

#include <algorithm>
#include <filesystem>

#include "braid/base/digest.h"
#include "braid/base/file.h"
#include "braid/data/archive.h"
#include "braid/data/cifar.h"
#include "braid/data/download.h"
#include "braid/data/gzip.h"
#include "braid/data/idx.h"

namespace braid::data {
namespace {

// Bounds one IDX file's content: MNIST's largest is 47 MB.
constexpr uint64_t kMaxIdxBytes = uint64_t{1} << 30;

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

Result<std::vector<uint8_t>> ReadSource(const std::string& path, const PublishedFile* file,
                                        Dataset& dataset) {
  BRAID_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, ReadFile(path, kMaxIdxBytes));
  const std::string digest = ToHex(Sha256(bytes));
  const bool known = file != nullptr && std::find(file->digests.begin(), file->digests.end(),
                                                  digest) != file->digests.end();
  dataset.sources.push_back({path, digest, known});
  return bytes;
}

// One IDX file, with ".gz" or without.
Result<IdxArray> ReadIdx(const std::string& path, const PublishedFile& file, int rank,
                         Dataset& dataset) {
  BRAID_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, ReadSource(path, &file, dataset));
  if (path.ends_with(".gz")) {
    BRAID_ASSIGN_OR_RETURN(bytes, Gunzip(bytes, path, kMaxIdxBytes));
  }
  return ParseIdx(bytes, path, rank);
}

// `folder`/`name` or the same without ".gz"; empty when neither exists.
std::string FindIdx(const std::string& folder, const std::string& name) {
  const std::string path = folder + "/" + name;
  if (Exists(path)) return path;
  const std::string plain = path.substr(0, path.size() - 3);
  return Exists(plain) ? plain : "";
}

Status LoadIdx(const CatalogEntry& entry, const std::string& images_path,
               const std::string& labels_path, Dataset& dataset) {
  const size_t first = dataset.split == "train" ? 0 : 2;
  BRAID_ASSIGN_OR_RETURN(IdxArray images, ReadIdx(images_path, entry.files[first], 3, dataset));
  BRAID_ASSIGN_OR_RETURN(IdxArray labels, ReadIdx(labels_path, entry.files[first + 1], 1, dataset));
  if (images.dims[1] != entry.height || images.dims[2] != entry.width) {
    return DataLoss(images_path + ": at byte 8: images of " + std::to_string(images.dims[1]) + "x" +
                    std::to_string(images.dims[2]) + ", expected " + std::to_string(entry.height) +
                    "x" + std::to_string(entry.width));
  }
  if (labels.dims[0] != images.dims[0]) {
    return DataLoss(labels_path + ": at byte 4: " + std::to_string(labels.dims[0]) +
                    " labels for the " + std::to_string(images.dims[0]) + " images of " +
                    images_path);
  }
  BRAID_RETURN_IF_ERROR(CheckLabels(labels.values, entry.labels.size(), labels_path, 8, 1));
  dataset.count = images.dims[0];
  dataset.images = std::move(images.values);
  dataset.targets = std::move(labels.values);
  return OkStatus();
}

// Looks in one folder; false when it holds nothing of the data set.
Result<bool> TryIdxFolder(const CatalogEntry& entry, const std::string& folder, Dataset& dataset) {
  const size_t first = dataset.split == "train" ? 0 : 2;
  const std::string images = FindIdx(folder, entry.files[first].name);
  const std::string labels = FindIdx(folder, entry.files[first + 1].name);
  if (images.empty() && labels.empty()) return false;
  if (images.empty() || labels.empty()) {
    return DataLoss(folder + ": has " + (images.empty() ? labels : images) + " but no " +
                    entry.files[images.empty() ? first : first + 1].name);
  }
  BRAID_RETURN_IF_ERROR(LoadIdx(entry, images, labels, dataset));
  return true;
}

Result<bool> TryCifarFolder(const CatalogEntry& entry, const std::string& folder, int records,
                            Dataset& dataset) {
  const std::vector<std::string> names = CifarFiles(dataset.split);
  // An extracted copy first: it is read faster.
  if (Exists(folder + "/" + names.front())) {
    for (const std::string& name : names) {
      const std::string path = folder + "/" + name;
      BRAID_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadSource(path, nullptr, dataset));
      BRAID_RETURN_IF_ERROR(AppendCifarRecords(bytes, path, records, dataset));
    }
    return true;
  }
  for (const PublishedFile& file : entry.files) {
    const std::string path = folder + "/" + file.name;
    if (!Exists(path)) continue;
    BRAID_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadSource(path, &file, dataset));
    // A member longer than its records is refused by AppendCifarRecords, with a better message.
    const uint64_t limit = 2 * static_cast<uint64_t>(records) * (1 + dataset.ImageBytes());
    BRAID_ASSIGN_OR_RETURN(const auto members, ReadArchive(bytes, path, names, limit));
    for (const std::string& name : names) {
      BRAID_RETURN_IF_ERROR(
          AppendCifarRecords(members.at(name), path + ": " + name, records, dataset));
    }
    return true;
  }
  return false;
}

Result<bool> TryFolder(const CatalogEntry& entry, const std::string& folder,
                       const LoadOptions& options, Dataset& dataset) {
  switch (entry.form) {
    case Form::kIdx:
      return TryIdxFolder(entry, folder, dataset);
    case Form::kCifar:
      return TryCifarFolder(entry, folder, options.cifar_records_per_file, dataset);
    case Form::kGenerated:
      break;
  }
  return Internal(entry.name + " is generated, not published");
}

// The files that `split` needs, into `folder`.
Status DownloadSplit(const CatalogEntry& entry, const std::string& split,
                     const std::string& folder) {
  size_t first = 0, count = 1;  // kCifar: the one archive that is published
  if (entry.form == Form::kIdx) {
    first = split == "train" ? 0 : 2;
    count = 2;
  }
  for (size_t i = first; i < first + count; ++i) {
    if (Exists(folder + "/" + entry.files[i].name)) continue;
    BRAID_RETURN_IF_ERROR(Download(entry.files[i], folder));
  }
  return OkStatus();
}

}  // namespace

Result<Dataset> LoadPublished(const CatalogEntry& entry, const std::string& split,
                              const LoadOptions& options) {
  Dataset dataset;
  dataset.name = entry.name;
  dataset.split = split;
  dataset.height = entry.height;
  dataset.width = entry.width;
  dataset.channels = entry.channels;
  dataset.labels = entry.labels;

  std::string searched;
  bool found = false;
  for (const std::string& root : options.folders) {
    const std::string folder = root + "/" + entry.name;
    BRAID_ASSIGN_OR_RETURN(found, TryFolder(entry, folder, options, dataset));
    if (found) break;
    searched += (searched.empty() ? "" : ", ") + folder;
  }
  if (!found && options.allow_download && !options.folders.empty()) {
    const std::string folder = options.folders.back() + "/" + entry.name;
    BRAID_RETURN_IF_ERROR(
        DownloadSplit(entry, split, folder)
            .WithContext(entry.name + ": not in " + searched + ", and the download failed"));
    BRAID_ASSIGN_OR_RETURN(found, TryFolder(entry, folder, options, dataset));
  }
  if (!found) {
    return NotFound(entry.name + ": no " + split + " files in " +
                    (searched.empty() ? "any folder (none was given)" : searched) +
                    (options.allow_download ? "" : "; downloading was not allowed"));
  }
  SetDigest(dataset);
  return dataset;
}

}  // namespace braid::data
