// The IDX files of MNIST and its kin: images and labels of unsigned bytes. Layer: data.
// Format: docs/data.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "braid/base/status.h"

namespace braid::data {

struct IdxArray {
  std::vector<int> dims;        // 1 for labels [count], 3 for images [count, height, width]
  std::vector<uint8_t> values;  // row-major
};

// Parses an uncompressed IDX file of unsigned bytes with `rank` dimensions. DATA_LOSS with
// position and reason when a byte is missing, wrong or left over. `name` opens every error.
Result<IdxArray> ParseIdx(std::span<const uint8_t> bytes, const std::string& name, int rank);

// The bytes of an IDX file: dims.size() is its rank; values.size() must be the product.
std::vector<uint8_t> SerializeIdx(std::span<const int> dims, std::span<const uint8_t> values);

// DATA_LOSS naming the first label >= `classes` and its position,
// where label i of `labels` lies at byte `offset` + i * `stride` of `name`.
Status CheckLabels(std::span<const uint8_t> labels, size_t classes, const std::string& name,
                   size_t offset, size_t stride);

}  // namespace braid::data
