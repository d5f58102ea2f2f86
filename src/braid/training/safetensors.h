// The safetensors format: named tensors and string metadata in one file, readable by the usual
// Python tools. Layer: training. Format: github.com/huggingface/safetensors, "Format".
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "braid/base/status.h"

namespace braid::training {

struct SafeTensor {
  std::string dtype;  // "F32", "F64", "I64", "U8"
  std::vector<int64_t> shape;
  std::vector<uint8_t> bytes;  // little-endian, row-major
};

struct SafeTensors {
  std::map<std::string, SafeTensor> tensors;
  std::map<std::string, std::string> metadata;
};

// INVALID_ARGUMENT when a tensor's bytes do not fit its shape and type.
Result<std::vector<uint8_t>> WriteSafeTensors(const SafeTensors& content);
// `bytes` are hostile. DATA_LOSS that names the header's field or the tensor at fault.
Result<SafeTensors> ParseSafeTensors(std::span<const uint8_t> bytes);

}  // namespace braid::training
