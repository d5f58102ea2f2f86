#include "braid/data/idx.h"

#include <cstdio>

#include "braid/base/check.h"

namespace braid::data {
namespace {

// The format's own code for unsigned bytes, in the third byte of the magic number.
constexpr uint32_t kUnsignedByte = 0x08;
// Bounds what a header may ask for: an array beyond 4 GiB is not a data set of ours.
constexpr uint64_t kMaxElements = uint64_t{1} << 32;

uint32_t ReadBigEndian(std::span<const uint8_t> bytes, size_t at) {
  return (uint32_t{bytes[at]} << 24) | (uint32_t{bytes[at + 1]} << 16) |
         (uint32_t{bytes[at + 2]} << 8) | uint32_t{bytes[at + 3]};
}

std::string Hex(uint32_t value) {
  char text[16];
  std::snprintf(text, sizeof(text), "0x%08x", value);
  return text;
}

}  // namespace

Result<IdxArray> ParseIdx(std::span<const uint8_t> bytes, const std::string& name, int rank) {
  BRAID_CHECK(rank >= 1 && rank <= 4);
  const size_t header = 4 + 4 * static_cast<size_t>(rank);
  if (bytes.size() < header) {
    return DataLoss(name + ": at byte " + std::to_string(bytes.size()) +
                    ": the file ends inside its header of " + std::to_string(header) + " bytes");
  }
  const uint32_t magic = ReadBigEndian(bytes, 0);
  const uint32_t wanted = (kUnsignedByte << 8) | static_cast<uint32_t>(rank);
  if (magic != wanted) {
    return DataLoss(name + ": at byte 0: magic number " + Hex(magic) + ", expected " + Hex(wanted) +
                    " (" + std::to_string(rank) + "-dimensional array of unsigned bytes)");
  }
  IdxArray array;
  uint64_t elements = 1;
  for (int d = 0; d < rank; ++d) {
    const size_t at = 4 + 4 * static_cast<size_t>(d);
    const uint32_t extent = ReadBigEndian(bytes, at);
    // Both factors are below 2^32, so the product cannot wrap.
    elements *= extent;
    if (extent == 0 || extent > INT32_MAX || elements > kMaxElements) {
      return DataLoss(name + ": at byte " + std::to_string(at) + ": dimension " +
                      std::to_string(d) + " is " + std::to_string(extent) +
                      ", which no data set can have");
    }
    array.dims.push_back(static_cast<int>(extent));
  }
  const uint64_t have = bytes.size() - header;
  if (have != elements) {
    const std::string what = have < elements ? "the file ends here" : "data after the last value";
    return DataLoss(name + ": at byte " + std::to_string(header + std::min(have, elements)) + ": " +
                    what + "; the header announces " + std::to_string(elements) +
                    " values, the file holds " + std::to_string(have));
  }
  array.values.assign(bytes.begin() + static_cast<std::ptrdiff_t>(header), bytes.end());
  return array;
}

std::vector<uint8_t> SerializeIdx(std::span<const int> dims, std::span<const uint8_t> values) {
  std::vector<uint8_t> bytes = {0, 0, kUnsignedByte, static_cast<uint8_t>(dims.size())};
  uint64_t elements = 1;
  for (const int extent : dims) {
    BRAID_CHECK(extent > 0);
    const auto value = static_cast<uint32_t>(extent);
    for (int shift = 24; shift >= 0; shift -= 8) {
      bytes.push_back(static_cast<uint8_t>(value >> shift));
    }
    elements *= value;
  }
  BRAID_CHECK(elements == values.size());
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

Status CheckLabels(std::span<const uint8_t> labels, size_t classes, const std::string& name,
                   size_t offset, size_t stride) {
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < classes) continue;
    return DataLoss(name + ": at byte " + std::to_string(offset + i * stride) + ": label " +
                    std::to_string(labels[i]) + " of image " + std::to_string(i) +
                    " is not one of 0.." + std::to_string(classes - 1));
  }
  return OkStatus();
}

}  // namespace braid::data
