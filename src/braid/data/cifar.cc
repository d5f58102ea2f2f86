#include "braid/data/cifar.h"

#include "braid/base/check.h"
#include "braid/data/idx.h"

namespace braid::data {

std::vector<std::string> CifarFiles(const std::string& split) {
  const std::string folder = "cifar-10-batches-bin/";
  if (split == "test") return {folder + "test_batch.bin"};
  std::vector<std::string> files;
  for (int i = 1; i <= 5; ++i) files.push_back(folder + "data_batch_" + std::to_string(i) + ".bin");
  return files;
}

Status AppendCifarRecords(std::span<const uint8_t> bytes, const std::string& name, int records,
                          Dataset& dataset) {
  const size_t pixels = static_cast<size_t>(dataset.height) * static_cast<size_t>(dataset.width);
  const auto channels = static_cast<size_t>(dataset.channels);
  const size_t record_bytes = 1 + pixels * channels;
  const size_t wanted = record_bytes * static_cast<size_t>(records);
  BRAID_CHECK(pixels > 0 && channels > 0 && records > 0);
  if (bytes.size() != wanted) {
    return DataLoss(name + ": at byte " + std::to_string(std::min(bytes.size(), wanted)) + ": " +
                    (bytes.size() < wanted ? "the file ends here" : "data after the last record") +
                    "; expected " + std::to_string(records) + " records of " +
                    std::to_string(record_bytes) + " bytes, " + std::to_string(wanted) +
                    " in all, the file holds " + std::to_string(bytes.size()));
  }
  const size_t first = dataset.targets.size();
  dataset.targets.reserve(first + static_cast<size_t>(records));
  dataset.images.resize(dataset.images.size() + static_cast<size_t>(records) * pixels * channels);
  uint8_t* out = dataset.images.data() + first * pixels * channels;
  for (int r = 0; r < records; ++r) {
    const uint8_t* record = bytes.data() + static_cast<size_t>(r) * record_bytes;
    dataset.targets.push_back(record[0]);
    for (size_t p = 0; p < pixels; ++p) {
      for (size_t c = 0; c < channels; ++c) *out++ = record[1 + c * pixels + p];
    }
  }
  dataset.count += records;
  return CheckLabels(std::span(dataset.targets).subspan(first), dataset.labels.size(), name, 0,
                     record_bytes);
}

}  // namespace braid::data
