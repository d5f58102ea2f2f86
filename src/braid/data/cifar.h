// CIFAR-10's binary version: records of one label byte and 3072 planar pixel bytes. Layer: data.
// Format: docs/data.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/data/dataset.h"

namespace braid::data {

// The members of the archive that hold `split`, in order ("cifar-10-batches-bin/test_batch.bin").
std::vector<std::string> CifarFiles(const std::string& split);

// Appends the records of one file to `dataset` (whose shape and labels are set), pixels turned
// from planes [3,32,32] to [32,32,3]. DATA_LOSS with position unless there are exactly `records`
// whole records with known labels. `name` opens every error.
Status AppendCifarRecords(std::span<const uint8_t> bytes, const std::string& name, int records,
                          Dataset& dataset);

}  // namespace braid::data
