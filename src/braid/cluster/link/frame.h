// What devices say to each other: frame header, kinds and payloads; docs/cluster.md has the bytes.
// Layer: cluster/link. Fixed little-endian; header and payload each carry a CRC-32C.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/control/placement.h"
#include "braid/tensor/group_set.h"

namespace braid::cluster {

inline constexpr uint16_t kWireVersion = 1;
inline constexpr uint32_t kMaxPayloadBytes = 16u << 20;  // a hostile length cannot reserve more
inline constexpr size_t kFrameHeaderBytes = 52;
inline constexpr size_t kFrameTrailerBytes = 4;
// Group and device names; with its prefix a group name must fit a TLS identity of 128 bytes.
inline constexpr size_t kMaxNameBytes = 100;
inline constexpr size_t kMaxDigestBytes = 128;
// Of Failed and kBye; longer ones are cut when encoded.
inline constexpr size_t kMaxReasonBytes = 1024;
inline constexpr size_t kMaxAssignments = 256;  // of a placement: 16 groups in each of 16 terms

enum class FrameKind : uint8_t {
  kHello = 1,   // first frame both ways; payload Hello
  kStart = 2,   // requester -> participant: take part in an attempt; payload Start
  kMap = 3,     // participant -> participant: one group's map at `layer`; payload raw bytes
  kLogits = 4,  // participant -> requester: partial sums of a term; payload s32 little-endian
  kFailed = 5,  // participant -> requester: cannot go on; payload Failed
  kAbort = 6,   // requester -> participant: forget the attempt
  kPing = 7,    // payload: 8 bytes echoed by kPong
  kPong = 8,    // payload: Pong (echo, load, speed)
  kBye = 9,     // about to close; payload: reason as text
};

// Identifies the attempt a frame belongs to: a frame of a stale attempt, or of an earlier life of
// the requester, can never be taken for a current one.
struct AttemptKey {
  uint64_t requester = 0;    // DeviceId
  uint64_t incarnation = 0;  // of the requester
  uint64_t request = 0;
  uint32_t attempt = 0;
  auto operator<=>(const AttemptKey&) const = default;
};

struct Frame {
  FrameKind kind = FrameKind::kPing;
  AttemptKey key;                // kStart, kMap, kLogits, kFailed, kAbort
  uint8_t term = 0;              // kMap, kLogits
  uint8_t group = 0;             // kMap
  uint16_t layer = 0;            // kMap
  uint32_t decision_digest = 0;  // running digest of gates and exits taken so far
  std::vector<uint8_t> payload;
};

// The name by which two devices know that they belong together is checked before any other frame.
struct Hello {
  uint16_t version = kWireVersion;
  std::string group;         // group name
  std::string device;        // device name
  std::string model_digest;  // hex
  uint64_t incarnation = 0;
  GroupSet share;
  uint32_t credit = 0;
};

struct Start {
  uint32_t point = 0;  // index; both sides run the same model (digest in Hello)
  uint32_t images = 0;
  uint64_t remaining_us = 0;     // time left to the deadline when sent
  control::Placement placement;  // whole, so that participants know whom to send maps to
  std::vector<uint8_t> pixels;   // [images,H,W,C]
};

struct Failed {
  uint8_t failure = 0;   // AttemptFailure
  uint64_t culprit = 0;  // DeviceId
  std::string reason;
};

struct Pong {
  uint64_t echo = 0;
  uint32_t requests_queued = 0;
  uint64_t macs_per_second = 0;
};

// Bytes of a frame as sent, and back. Decoding never trusts a length or count. The payload must
// have a size that its kind allows (docs/cluster.md, "Frames").
std::vector<uint8_t> EncodeFrame(const Frame& frame);
void AppendFrame(const Frame& frame, std::vector<uint8_t>* out);

// Cuts a byte stream into frames. An error is final: the connection must be closed. Holds at most
// one unfinished frame, and no more memory for it than bytes of it have come (rounded up).
class FrameDecoder {
 public:
  explicit FrameDecoder(uint32_t max_payload_bytes = kMaxPayloadBytes);
  // Takes received bytes; complete frames are appended to `out`, those before an error too.
  // DATA_LOSS (no frame, damaged), FAILED_PRECONDITION (other wire version), INVALID_ARGUMENT
  // (impossible field), RESOURCE_EXHAUSTED (longer than its kind or the limit allows).
  Status Feed(std::span<const uint8_t> bytes, std::vector<Frame>* out);
  // False while a frame has begun and is not complete.
  bool AtFrameBoundary() const { return header_bytes_ == 0; }

 private:
  Status TakeHeader();
  Status TakeTrailer();

  uint32_t max_payload_bytes_;
  std::array<uint8_t, kFrameHeaderBytes> header_{};
  size_t header_bytes_ = 0;
  Frame frame_;  // fields of the header, and the payload so far
  uint32_t payload_bytes_ = 0;
  std::array<uint8_t, kFrameTrailerBytes> trailer_{};
  size_t trailer_bytes_ = 0;
  Status error_;
};

// Payloads. Decoders accept exactly what the encoders make: any other length, a count or number out
// of range, or a control character in a name is INVALID_ARGUMENT. Encoders require (checked) names
// within kMaxNameBytes, digests within kMaxDigestBytes and at most kMaxAssignments assignments.
std::vector<uint8_t> EncodeHello(const Hello& hello);
Result<Hello> DecodeHello(std::span<const uint8_t> payload);
std::vector<uint8_t> EncodeStart(const Start& start);
Result<Start> DecodeStart(std::span<const uint8_t> payload);
std::vector<uint8_t> EncodeFailed(const Failed& failed);
Result<Failed> DecodeFailed(std::span<const uint8_t> payload);
std::vector<uint8_t> EncodePong(const Pong& pong);
Result<Pong> DecodePong(std::span<const uint8_t> payload);
// The reason of a kBye, fit for a log: control characters and bytes beyond ASCII become '?'.
std::vector<uint8_t> EncodeBye(const std::string& reason);
std::string DecodeBye(std::span<const uint8_t> payload);

}  // namespace braid::cluster
