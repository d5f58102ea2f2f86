#include "braid/model/file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "braid/base/digest.h"
#include "braid/base/file.h"
#include "braid/model/flatbuffer_codec.h"
#include "braid/model/limits.h"
#include "braid/model/test_vectors.h"

namespace braid::model {
namespace {

// The frame of docs/model-format.md: magic, version, SHA-256 of the body, body.
constexpr std::array<uint8_t, 6> kMagic = {'B', 'R', 'A', 'I', 'D', 0x1a};
constexpr int kFormatVersion = 2;  // the newest
constexpr size_t kVersionOffset = kMagic.size();
constexpr size_t kDigestOffset = 8;
constexpr size_t kBodyOffset = kDigestOffset + sizeof(Sha256Digest);

// Most of what EncodeBody would write; FlatBuffers must not be asked for more than it can hold.
uint64_t EncodedBytesAtMost(const Network& network) {
  uint64_t bytes = (1 << 16) + network.card.size() + network.test_images.size() +
                   network.input_padding.size();
  for (const Layer& layer : network.layers) {
    bytes += 1024 + layer.weights.size() + layer.more_inputs.size() * sizeof(int32_t);
  }
  for (const SubNetwork& sub_network : network.sub_networks) {
    bytes += 64 + sub_network.map_digests.size();
    for (const LayerTables& tables : sub_network.tables) {
      const size_t values = tables.bias.size() + tables.mul.size() + tables.shortcut_mul.size();
      bytes += 256 + kShortDigestBytes + values * sizeof(int32_t);
    }
  }
  bytes += network.points.size() * 512 + network.labels.size() * (kMaxNameBytes + 16);
  return bytes;
}

// The version whose readers understand the whole of `network`: a network has one.
int VersionOf(const Network& network) {
  if (!network.input_padding.empty()) return 2;
  for (const Layer& layer : network.layers) {
    if (!layer.more_inputs.empty() || layer.filter_channels != 0) return 2;
  }
  return 1;
}

Status DamageReport(std::span<const uint8_t> body) {
  const std::vector<std::string> tensors = DamagedTensors(body);
  if (tensors.empty()) {
    return DataLoss("the content does not fit its SHA-256; the damage is outside the weights and tables");
  }
  std::string names = tensors[0];
  for (size_t i = 1; i < std::min<size_t>(tensors.size(), 8); ++i) names += ", " + tensors[i];
  if (tensors.size() > 8) names += ", ...";
  return DataLoss("the content does not fit its SHA-256; damaged: " + names);
}

}  // namespace

Result<std::vector<uint8_t>> Serialize(const Network& network) {
  BRAID_RETURN_IF_ERROR(Validate(network));
  if (const uint64_t bytes = EncodedBytesAtMost(network); bytes > kMaxFileBytes) {
    return ResourceExhausted(
        fmt::format("the network needs up to {} bytes, a file holds {}", bytes, kMaxFileBytes));
  }
  const std::vector<uint8_t> body = EncodeBody(network);
  const Sha256Digest digest = Sha256(body);
  std::vector<uint8_t> bytes(kBodyOffset + body.size());
  std::copy(kMagic.begin(), kMagic.end(), bytes.begin());
  bytes[kVersionOffset] = static_cast<uint8_t>(VersionOf(network));
  std::copy(digest.begin(), digest.end(), bytes.begin() + kDigestOffset);
  std::copy(body.begin(), body.end(), bytes.begin() + kBodyOffset);
  return bytes;
}

Result<ModelFile> Parse(std::span<const uint8_t> bytes) {
  if (bytes.size() > kMaxFileBytes) {
    return ResourceExhausted(
        fmt::format("{} bytes, more than the limit of {}", bytes.size(), kMaxFileBytes));
  }
  if (bytes.size() < kMagic.size() || !std::equal(kMagic.begin(), kMagic.end(), bytes.begin())) {
    return InvalidArgument("not a .braid file");
  }
  if (bytes.size() < kBodyOffset) {
    return DataLoss(
        fmt::format("truncated: {} bytes, the header alone has {}", bytes.size(), kBodyOffset));
  }
  const int version = bytes[kVersionOffset] | bytes[kVersionOffset + 1] << 8;
  if (version < 1 || version > kFormatVersion) {
    return Unimplemented(fmt::format("format version {}, this program reads versions 1 to {}",
                                     version, kFormatVersion));
  }
  const std::span<const uint8_t> stated = bytes.subspan(kDigestOffset, sizeof(Sha256Digest));
  const std::span<const uint8_t> body = bytes.subspan(kBodyOffset);
  const Sha256Digest digest = Sha256(body);
  if (!std::equal(digest.begin(), digest.end(), stated.begin())) return DamageReport(body);
  BRAID_ASSIGN_OR_RETURN(Network network, DecodeBody(body));
  if (VersionOf(network) != version) {
    return InvalidArgument(fmt::format("format version {}, but the content is that of version {}",
                                       version, VersionOf(network)));
  }
  BRAID_RETURN_IF_ERROR(Validate(network));
  return ModelFile{.network = std::move(network), .digest = ToHex(Sha256(bytes))};
}

std::vector<std::string> LocateDamage(std::span<const uint8_t> bytes) {
  if (bytes.size() < kBodyOffset || bytes.size() > kMaxFileBytes) return {};
  return DamagedTensors(bytes.subspan(kBodyOffset));
}

Result<ModelFile> ReadModelFile(const std::string& path) {
  BRAID_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadFile(path, kMaxFileBytes));
  Result<ModelFile> file = Parse(bytes);
  if (!file.ok()) return file.status().WithContext(path);
  return file;
}

Status WriteModelFile(const Network& network, const std::string& path) {
  const Result<std::vector<uint8_t>> bytes = Serialize(network);
  if (!bytes.ok()) return bytes.status().WithContext(path);
  return WriteFileAtomically(path, *bytes);
}

}  // namespace braid::model
