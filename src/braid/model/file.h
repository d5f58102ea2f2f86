// Reading and writing .braid files; docs/model-format.md describes the bytes. Layer: model.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/model/network.h"

namespace braid::model {

// A network read from a file, with the name by which devices and reports know its bytes.
struct ModelFile {
  Network network;
  std::string digest;  // SHA-256 of the file's content, hex
};

// Checks everything that a plan relies on: indices, shapes, sizes, ranges, and that no accumulator
// can leave s32 (docs/numerics.md). The error names the field. A network that passes is safe to run.
Status Validate(const Network& network);

// Serialize validates first; Parse treats `bytes` as hostile and validates last.
Result<std::vector<uint8_t>> Serialize(const Network& network);
Result<ModelFile> Parse(std::span<const uint8_t> bytes);

// For the content of a .braid file that Parse refused as DATA_LOSS: what does not fit its own digest,
// "layers[3].weights" or "sub_networks[2].tables[1]". Empty where the damage lies elsewhere, or where
// the structure is broken. Treats `bytes` as hostile.
std::vector<std::string> LocateDamage(std::span<const uint8_t> bytes);

Result<ModelFile> ReadModelFile(const std::string& path);
Status WriteModelFile(const Network& network, const std::string& path);

}  // namespace braid::model
