// Payloads of frames (docs/cluster.md, "Frames"): each decoder reads every field, then asks once
// whether the bytes were exactly enough, then looks at the values.
#include <array>
#include <utility>

#include "braid/cluster/link/byte_order.h"
#include "braid/cluster/link/frame.h"

namespace braid::cluster {
namespace {

constexpr size_t kMaxTerms = 256;  // a term travels as one byte

bool HasControlCharacter(const std::string& text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
  }
  return false;
}

// Text of a peer goes into logs and terminals, so only printable ASCII survives.
std::string Printable(std::string text) {
  for (char& c : text) {
    if (c < 0x20 || c > 0x7e) c = '?';  // a negative char is a byte beyond ASCII
  }
  return text;
}

Status BadLength(const char* payload) {
  return InvalidArgument(std::string(payload) + ": length does not match its fields");
}

bool IsGroupMask(uint32_t mask) { return mask >> kMaxGroups == 0; }

}  // namespace

std::vector<uint8_t> EncodeHello(const Hello& hello) {
  BRAID_CHECK(hello.group.size() <= kMaxNameBytes) << hello.group;
  BRAID_CHECK(hello.device.size() <= kMaxNameBytes) << hello.device;
  BRAID_CHECK(hello.model_digest.size() <= kMaxDigestBytes) << hello.model_digest;
  std::vector<uint8_t> payload;
  ByteWriter writer(&payload);
  writer.Put(hello.version);
  writer.PutText(hello.group);
  writer.PutText(hello.device);
  writer.PutText(hello.model_digest);
  writer.Put(hello.incarnation);
  writer.Put(hello.share.mask());
  writer.Put(hello.credit);
  return payload;
}

Result<Hello> DecodeHello(std::span<const uint8_t> payload) {
  ByteReader reader(payload);
  Hello hello;
  hello.version = reader.Take<uint16_t>();
  hello.group = reader.TakeText(kMaxNameBytes);
  hello.device = reader.TakeText(kMaxNameBytes);
  hello.model_digest = reader.TakeText(kMaxDigestBytes);
  hello.incarnation = reader.Take<uint64_t>();
  const auto share = reader.Take<uint32_t>();
  hello.credit = reader.Take<uint32_t>();
  if (!reader.AtEnd()) return BadLength("hello");
  if (!IsGroupMask(share)) return InvalidArgument("hello: share names impossible channel groups");
  hello.share = GroupSet(share);
  if (hello.device.empty()) return InvalidArgument("hello: device has no name");
  for (const std::string* text : {&hello.group, &hello.device, &hello.model_digest}) {
    if (HasControlCharacter(*text)) return InvalidArgument("hello: control character in a name");
  }
  return hello;
}

std::vector<uint8_t> EncodeStart(const Start& start) {
  BRAID_CHECK(start.placement.size() <= kMaxAssignments) << start.placement.size();
  std::vector<uint8_t> payload;
  payload.reserve(20 + 13 * start.placement.size() + start.pixels.size());
  ByteWriter writer(&payload);
  writer.Put(start.point);
  writer.Put(start.images);
  writer.Put(start.remaining_us);
  writer.Put(static_cast<uint16_t>(start.placement.size()));
  for (const control::Assignment& assignment : start.placement) {
    BRAID_CHECK(assignment.term >= 0 && size_t(assignment.term) < kMaxTerms) << assignment.term;
    writer.Put(static_cast<uint64_t>(assignment.device));
    writer.Put(static_cast<uint8_t>(assignment.term));
    writer.Put(assignment.local.mask());
  }
  writer.PutBytes(start.pixels);
  return payload;
}

Result<Start> DecodeStart(std::span<const uint8_t> payload) {
  ByteReader reader(payload);
  Start start;
  start.point = reader.Take<uint32_t>();
  start.images = reader.Take<uint32_t>();
  start.remaining_us = reader.Take<uint64_t>();
  const size_t assignments = reader.Take<uint16_t>();
  if (assignments > kMaxAssignments) {
    return InvalidArgument("start: " + std::to_string(assignments) + " assignments");
  }
  std::array<GroupSet, kMaxTerms> taken{};  // groups of each term that have a device
  for (size_t i = 0; i < assignments; ++i) {
    control::Assignment assignment;
    assignment.device = control::DeviceId{reader.Take<uint64_t>()};
    assignment.term = reader.Take<uint8_t>();
    const auto local = reader.Take<uint32_t>();
    if (!reader.ok()) return BadLength("start");
    if (local == 0 || !IsGroupMask(local)) {
      return InvalidArgument("start: assignment of no or impossible channel groups");
    }
    assignment.local = GroupSet(local);
    GroupSet& term = taken[static_cast<size_t>(assignment.term)];
    if (!(term & assignment.local).empty()) {
      return InvalidArgument("start: a channel group of a term is assigned twice");
    }
    for (const control::Assignment& other : start.placement) {
      if (other.device == assignment.device && other.term == assignment.term) {
        return InvalidArgument("start: two assignments of a device in a term");
      }
    }
    term = term | assignment.local;
    start.placement.push_back(assignment);
  }
  const std::span<const uint8_t> pixels = reader.TakeBytes(reader.remaining());
  if (!reader.AtEnd()) return BadLength("start");
  if (start.images == 0 || pixels.size() % start.images != 0) {
    return InvalidArgument("start: " + std::to_string(pixels.size()) + " pixel bytes for " +
                           std::to_string(start.images) + " images");
  }
  start.pixels.assign(pixels.begin(), pixels.end());
  return start;
}

std::vector<uint8_t> EncodeFailed(const Failed& failed) {
  std::vector<uint8_t> payload;
  ByteWriter writer(&payload);
  writer.Put(failed.failure);
  writer.Put(failed.culprit);
  writer.PutText(failed.reason.substr(0, kMaxReasonBytes));
  return payload;
}

Result<Failed> DecodeFailed(std::span<const uint8_t> payload) {
  ByteReader reader(payload);
  Failed failed;
  failed.failure = reader.Take<uint8_t>();
  failed.culprit = reader.Take<uint64_t>();
  failed.reason = Printable(reader.TakeText(kMaxReasonBytes));
  if (!reader.AtEnd()) return BadLength("failed");
  return failed;
}

std::vector<uint8_t> EncodePong(const Pong& pong) {
  std::vector<uint8_t> payload;
  ByteWriter writer(&payload);
  writer.Put(pong.echo);
  writer.Put(pong.requests_queued);
  writer.Put(pong.macs_per_second);
  return payload;
}

Result<Pong> DecodePong(std::span<const uint8_t> payload) {
  ByteReader reader(payload);
  Pong pong;
  pong.echo = reader.Take<uint64_t>();
  pong.requests_queued = reader.Take<uint32_t>();
  pong.macs_per_second = reader.Take<uint64_t>();
  if (!reader.AtEnd()) return BadLength("pong");
  return pong;
}

std::vector<uint8_t> EncodeBye(const std::string& reason) {
  const std::string kept = reason.substr(0, kMaxReasonBytes);
  return {kept.begin(), kept.end()};
}

std::string DecodeBye(std::span<const uint8_t> payload) {
  return Printable({payload.begin(), payload.end()});
}

}  // namespace braid::cluster
