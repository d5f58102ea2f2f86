// Reading and writing safetensors. Layer: training.
#include "braid/training/safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace braid::training {
namespace {

using Json = nlohmann::ordered_json;

// The format's own limit on the header.
constexpr uint64_t kMostHeaderBytes = 100'000'000;
constexpr size_t kMostDimensions = 8;

std::optional<uint64_t> ElementSize(const std::string& dtype) {
  if (dtype == "F32") return 4;
  if (dtype == "F64" || dtype == "I64") return 8;
  if (dtype == "U8") return 1;
  return std::nullopt;
}

// Bytes of a tensor, or nothing when the product overflows or a dimension is negative.
std::optional<uint64_t> TensorBytes(const std::string& dtype, const std::vector<int64_t>& shape) {
  std::optional<uint64_t> size = ElementSize(dtype);
  if (!size) return std::nullopt;
  uint64_t bytes = *size;
  for (const int64_t d : shape) {
    if (d < 0) return std::nullopt;
    const auto dimension = static_cast<uint64_t>(d);
    if (dimension != 0 && bytes > std::numeric_limits<uint64_t>::max() / dimension) {
      return std::nullopt;
    }
    bytes *= dimension;
  }
  return bytes;
}

Result<std::pair<uint64_t, SafeTensor>> ParseEntry(const std::string& name, const Json& entry,
                                                   std::span<const uint8_t> data) {
  const auto bad = [&](const std::string& what) {
    return DataLoss("tensor '" + name + "': " + what);
  };
  if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() ||
      !entry.contains("shape") || !entry["shape"].is_array() || !entry.contains("data_offsets") ||
      !entry["data_offsets"].is_array() || entry["data_offsets"].size() != 2) {
    return bad("needs dtype, shape and two data_offsets");
  }
  SafeTensor tensor;
  tensor.dtype = entry["dtype"].get<std::string>();
  if (!ElementSize(tensor.dtype)) return bad("unknown dtype '" + tensor.dtype + "'");
  if (entry["shape"].size() > kMostDimensions) return bad("too many dimensions");
  for (const Json& d : entry["shape"]) {
    if (!d.is_number_unsigned() || d.get<uint64_t>() > std::numeric_limits<int64_t>::max()) {
      return bad("a dimension is no valid size");
    }
    tensor.shape.push_back(d.get<int64_t>());
  }
  for (const Json& o : entry["data_offsets"]) {
    if (!o.is_number_unsigned()) return bad("an offset is no unsigned number");
  }
  const auto begin = entry["data_offsets"][0].get<uint64_t>();
  const auto end = entry["data_offsets"][1].get<uint64_t>();
  if (begin > end || end > data.size()) return bad("its bytes lie outside the file");
  if (TensorBytes(tensor.dtype, tensor.shape) != end - begin) {
    return bad("its bytes do not fit its shape");
  }
  tensor.bytes.assign(data.begin() + static_cast<std::ptrdiff_t>(begin),
                      data.begin() + static_cast<std::ptrdiff_t>(end));
  return std::pair(begin, std::move(tensor));
}

}  // namespace

Result<std::vector<uint8_t>> WriteSafeTensors(const SafeTensors& content) {
  Json header = Json::object();
  if (!content.metadata.empty()) header["__metadata__"] = content.metadata;
  uint64_t offset = 0;
  for (const auto& [name, tensor] : content.tensors) {
    if (TensorBytes(tensor.dtype, tensor.shape) != tensor.bytes.size()) {
      return InvalidArgument("tensor '" + name + "': its bytes do not fit its shape");
    }
    header[name] = {{"dtype", tensor.dtype},
                    {"shape", tensor.shape},
                    {"data_offsets", {offset, offset + tensor.bytes.size()}}};
    offset += tensor.bytes.size();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the format aligns the data with spaces
  std::vector<uint8_t> file;
  file.reserve(8 + text.size() + offset);
  for (int i = 0; i < 8; ++i) file.push_back(static_cast<uint8_t>(text.size() >> (8 * i)));
  file.insert(file.end(), text.begin(), text.end());
  for (const auto& [name, tensor] : content.tensors) {
    file.insert(file.end(), tensor.bytes.begin(), tensor.bytes.end());
  }
  return file;
}

Result<SafeTensors> ParseSafeTensors(std::span<const uint8_t> bytes) {
  if (bytes.size() < 8) return DataLoss("header: the file is shorter than 8 bytes");
  uint64_t length = 0;
  for (size_t i = 0; i < 8; ++i) length |= static_cast<uint64_t>(bytes[i]) << (8 * i);
  if (length > kMostHeaderBytes || length > bytes.size() - 8) {
    return DataLoss("header: its length exceeds the file");
  }
  const auto text = bytes.subspan(8, static_cast<size_t>(length));
  const Json header = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) return DataLoss("header: no JSON object");
  const auto data = bytes.subspan(8 + static_cast<size_t>(length));

  SafeTensors content;
  std::vector<std::pair<uint64_t, uint64_t>> extents;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      if (!entry.is_object()) return DataLoss("__metadata__: no object");
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string()) return DataLoss("__metadata__: '" + key + "' is no string");
        content.metadata[key] = value.get<std::string>();
      }
      continue;
    }
    BRAID_ASSIGN_OR_RETURN(auto parsed, ParseEntry(name, entry, data));
    extents.emplace_back(parsed.first, parsed.second.bytes.size());
    content.tensors[name] = std::move(parsed.second);
  }
  // The format wants the tensors to cover the data without holes or overlaps.
  std::sort(extents.begin(), extents.end());
  uint64_t end = 0;
  for (const auto& [begin, size] : extents) {
    if (begin != end) return DataLoss("data: tensors overlap or leave a hole");
    end = begin + size;
  }
  if (end != data.size()) return DataLoss("data: bytes that no tensor names");
  return content;
}

}  // namespace braid::training
