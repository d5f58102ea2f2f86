// Header, trailer and the cutting of a byte stream into frames; payloads are in payload.cc.
#include "braid/cluster/link/frame.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "braid/cluster/link/byte_order.h"
#include "braid/cluster/link/crc32c.h"

namespace braid::cluster {
namespace {

constexpr std::array<uint8_t, 4> kMagic = {'B', 'R', 'A', 'D'};
// Where the fields are (docs/cluster.md, "Frames").
constexpr size_t kVersionAt = 4, kKindAt = 6, kTermAt = 7, kRequesterAt = 8, kIncarnationAt = 16,
                 kRequestAt = 24, kAttemptAt = 32, kLayerAt = 36, kGroupAt = 38, kReservedAt = 39,
                 kDecisionDigestAt = 40, kLengthAt = 44, kHeaderCrcAt = 48;
static_assert(kHeaderCrcAt + sizeof(uint32_t) == kFrameHeaderBytes);

// Memory for a payload is taken at once up to here, beyond only as bytes come.
constexpr size_t kEagerReserveBytes = 64 << 10;

struct PayloadRule {
  uint32_t min_bytes;
  uint32_t max_bytes;
  uint32_t multiple;
};

// What a payload's size can be, from its kind alone; false for a kind that does not exist.
bool FindPayloadRule(uint8_t kind, PayloadRule* rule) {
  switch (static_cast<FrameKind>(kind)) {
    case FrameKind::kHello:
      *rule = {0, 1024, 1};
      return true;
    case FrameKind::kStart:
      *rule = {0, kMaxPayloadBytes, 1};
      return true;
    case FrameKind::kMap:
      *rule = {0, kMaxPayloadBytes, 1};
      return true;
    case FrameKind::kLogits:
      *rule = {0, kMaxPayloadBytes, 4};
      return true;
    case FrameKind::kFailed:
      *rule = {0, 2048, 1};
      return true;
    case FrameKind::kAbort:
      *rule = {0, 0, 1};
      return true;
    case FrameKind::kPing:
      *rule = {8, 8, 1};
      return true;
    case FrameKind::kPong:
      *rule = {20, 20, 1};
      return true;
    case FrameKind::kBye:
      *rule = {0, kMaxReasonBytes, 1};
      return true;
  }
  return false;
}

bool SizeFits(const PayloadRule& rule, size_t size) {
  return size >= rule.min_bytes && size <= rule.max_bytes && size % rule.multiple == 0;
}

std::string NotAFrame(std::span<const uint8_t> start) {
  // The likeliest stranger is a peer that speaks TLS to one without a key: handshake or alert.
  if (start.size() >= 2 && (start[0] == 0x16 || start[0] == 0x15) && start[1] == 3) {
    return "frame: the other side speaks TLS, this side has no key";
  }
  std::string message = "frame: does not begin with the magic, but with";
  for (const uint8_t byte : start) {
    char text[4];
    std::snprintf(text, sizeof(text), " %02x", byte);
    message += text;
  }
  return message;
}

}  // namespace

void AppendFrame(const Frame& frame, std::vector<uint8_t>* out) {
  PayloadRule rule{};
  const auto kind = static_cast<uint8_t>(frame.kind);
  BRAID_CHECK(FindPayloadRule(kind, &rule)) << "frame kind " << int{kind};
  BRAID_CHECK(SizeFits(rule, frame.payload.size()))
      << "frame kind " << int{kind} << " with a payload of " << frame.payload.size() << " bytes";

  const size_t at = out->size();
  const size_t total = kFrameHeaderBytes + frame.payload.size() + kFrameTrailerBytes;
  out->resize(at + total);
  uint8_t* header = out->data() + at;
  std::copy(kMagic.begin(), kMagic.end(), header);
  StoreLittleEndian(kWireVersion, header + kVersionAt);
  header[kKindAt] = kind;
  header[kTermAt] = frame.term;
  StoreLittleEndian(frame.key.requester, header + kRequesterAt);
  StoreLittleEndian(frame.key.incarnation, header + kIncarnationAt);
  StoreLittleEndian(frame.key.request, header + kRequestAt);
  StoreLittleEndian(frame.key.attempt, header + kAttemptAt);
  StoreLittleEndian(frame.layer, header + kLayerAt);
  header[kGroupAt] = frame.group;
  header[kReservedAt] = 0;
  StoreLittleEndian(frame.decision_digest, header + kDecisionDigestAt);
  StoreLittleEndian(static_cast<uint32_t>(frame.payload.size()), header + kLengthAt);
  const uint32_t header_crc = Crc32c({header, kHeaderCrcAt});
  StoreLittleEndian(header_crc, header + kHeaderCrcAt);
  uint8_t* payload = header + kFrameHeaderBytes;
  if (!frame.payload.empty()) std::memcpy(payload, frame.payload.data(), frame.payload.size());
  StoreLittleEndian(ExtendCrc32c(header_crc, frame.payload), payload + frame.payload.size());
}

std::vector<uint8_t> EncodeFrame(const Frame& frame) {
  std::vector<uint8_t> bytes;
  AppendFrame(frame, &bytes);
  return bytes;
}

FrameDecoder::FrameDecoder(uint32_t max_payload_bytes) : max_payload_bytes_(max_payload_bytes) {}

Status FrameDecoder::Feed(std::span<const uint8_t> bytes, std::vector<Frame>* out) {
  const auto take = [&bytes](size_t count) {
    const std::span<const uint8_t> taken = bytes.first(std::min(count, bytes.size()));
    bytes = bytes.subspan(taken.size());
    return taken;
  };
  while (error_.ok() && !bytes.empty()) {
    if (header_bytes_ < kFrameHeaderBytes) {
      const auto part = take(kFrameHeaderBytes - header_bytes_);
      std::copy(part.begin(), part.end(), header_.begin() + static_cast<ptrdiff_t>(header_bytes_));
      header_bytes_ += part.size();
      error_ = TakeHeader();
      continue;
    }
    if (frame_.payload.size() < payload_bytes_) {
      const auto part = take(payload_bytes_ - frame_.payload.size());
      frame_.payload.insert(frame_.payload.end(), part.begin(), part.end());
      continue;
    }
    const auto part = take(kFrameTrailerBytes - trailer_bytes_);
    std::copy(part.begin(), part.end(), trailer_.begin() + static_cast<ptrdiff_t>(trailer_bytes_));
    trailer_bytes_ += part.size();
    if (trailer_bytes_ < kFrameTrailerBytes) continue;
    error_ = TakeTrailer();
    if (error_.ok()) out->push_back(std::exchange(frame_, Frame{}));
  }
  return error_;
}

// Judges what is there of the header: a stranger is noticed by its first bytes, without waiting for
// a whole header that may never come. The checksum comes before every field that it covers.
Status FrameDecoder::TakeHeader() {
  const size_t begun = std::min(header_bytes_, kMagic.size());
  if (!std::equal(kMagic.begin(), kMagic.begin() + static_cast<ptrdiff_t>(begun),
                  header_.begin())) {
    return DataLoss(NotAFrame({header_.data(), begun}));
  }
  if (header_bytes_ < kFrameHeaderBytes) return OkStatus();

  const uint8_t* header = header_.data();
  if (LoadLittleEndian<uint32_t>(header + kHeaderCrcAt) != Crc32c({header, kHeaderCrcAt})) {
    return DataLoss("frame header: checksum does not match");
  }
  const auto version = LoadLittleEndian<uint16_t>(header + kVersionAt);
  if (version != kWireVersion) {
    return FailedPrecondition("frame header: wire version " + std::to_string(version) +
                              ", this side speaks " + std::to_string(kWireVersion));
  }
  PayloadRule rule{};
  const uint8_t kind = header[kKindAt];
  if (!FindPayloadRule(kind, &rule)) {
    return InvalidArgument("frame header: unknown kind " + std::to_string(kind));
  }
  if (header[kGroupAt] >= kMaxGroups) {
    return InvalidArgument("frame header: channel group " + std::to_string(header[kGroupAt]) +
                           ", the largest is " + std::to_string(kMaxGroups - 1));
  }
  if (header[kReservedAt] != 0) return InvalidArgument("frame header: reserved byte is not 0");
  payload_bytes_ = LoadLittleEndian<uint32_t>(header + kLengthAt);
  if (payload_bytes_ > std::min(rule.max_bytes, max_payload_bytes_)) {
    return ResourceExhausted("frame header: payload of " + std::to_string(payload_bytes_) +
                             " bytes, kind " + std::to_string(kind) + " may have " +
                             std::to_string(std::min(rule.max_bytes, max_payload_bytes_)));
  }
  if (!SizeFits(rule, payload_bytes_)) {
    return InvalidArgument("frame header: kind " + std::to_string(kind) +
                           " cannot have a payload of " + std::to_string(payload_bytes_) +
                           " bytes");
  }
  frame_.kind = static_cast<FrameKind>(kind);
  frame_.term = header[kTermAt];
  frame_.key.requester = LoadLittleEndian<uint64_t>(header + kRequesterAt);
  frame_.key.incarnation = LoadLittleEndian<uint64_t>(header + kIncarnationAt);
  frame_.key.request = LoadLittleEndian<uint64_t>(header + kRequestAt);
  frame_.key.attempt = LoadLittleEndian<uint32_t>(header + kAttemptAt);
  frame_.layer = LoadLittleEndian<uint16_t>(header + kLayerAt);
  frame_.group = header[kGroupAt];
  frame_.decision_digest = LoadLittleEndian<uint32_t>(header + kDecisionDigestAt);
  frame_.payload.reserve(std::min<size_t>(payload_bytes_, kEagerReserveBytes));
  return OkStatus();
}

Status FrameDecoder::TakeTrailer() {
  const auto header_crc = LoadLittleEndian<uint32_t>(header_.data() + kHeaderCrcAt);
  if (LoadLittleEndian<uint32_t>(trailer_.data()) != ExtendCrc32c(header_crc, frame_.payload)) {
    return DataLoss("frame payload: checksum does not match");
  }
  header_bytes_ = 0;
  trailer_bytes_ = 0;
  return OkStatus();
}

}  // namespace braid::cluster
