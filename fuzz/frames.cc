// The bytes between devices: frames out of a stream, payloads out of frames.
#include <algorithm>

#include "braid/base/check.h"
#include "braid/cluster/link/byte_order.h"
#include "braid/cluster/link/crc32c.h"
#include "braid/cluster/link/frame.h"
#include "fuzz/targets.h"

namespace braid::fuzz {
namespace {

using namespace cluster;

constexpr size_t kLengthAt = 44, kHeaderCrcAt = 48;  // docs/cluster.md, "Frames"

// Sets the checksums of each frame of the stream, which a hostile peer gets right and a fuzzer
// cannot.
void SetChecksums(Bytes& stream) {
  size_t at = 0;
  while (stream.size() - at >= kFrameHeaderBytes) {
    uint8_t* header = stream.data() + at;
    const uint32_t header_crc = Crc32c({header, kHeaderCrcAt});
    StoreLittleEndian(header_crc, header + kHeaderCrcAt);
    const size_t length = LoadLittleEndian<uint32_t>(header + kLengthAt);
    at += kFrameHeaderBytes;
    if (stream.size() - at < length + kFrameTrailerBytes) return;
    const std::span<const uint8_t> payload(stream.data() + at, length);
    StoreLittleEndian(ExtendCrc32c(header_crc, payload), stream.data() + at + length);
    at += length + kFrameTrailerBytes;
  }
}

// Decoders accept exactly what the encoders make; a reason for people loses its control characters.
void TakePayload(const Frame& frame) {
  const auto same = [&frame](const std::vector<uint8_t>& encoded) {
    BRAID_CHECK(encoded == frame.payload) << "kind " << static_cast<int>(frame.kind);
  };
  switch (frame.kind) {
    case FrameKind::kHello:
      if (const auto hello = DecodeHello(frame.payload); hello.ok()) same(EncodeHello(*hello));
      break;
    case FrameKind::kStart:
      if (const auto start = DecodeStart(frame.payload); start.ok()) same(EncodeStart(*start));
      break;
    case FrameKind::kFailed:
      if (const auto failed = DecodeFailed(frame.payload); failed.ok()) {
        const std::vector<uint8_t> printable = EncodeFailed(*failed);
        BRAID_CHECK(printable.size() == frame.payload.size());
        BRAID_CHECK(EncodeFailed(*DecodeFailed(printable)) == printable);
      }
      break;
    case FrameKind::kPong:
      if (const auto pong = DecodePong(frame.payload); pong.ok()) same(EncodePong(*pong));
      break;
    case FrameKind::kBye:
      (void)DecodeBye(frame.payload);
      break;
    case FrameKind::kMap:
    case FrameKind::kLogits:
    case FrameKind::kAbort:
    case FrameKind::kPing:
      break;
  }
}

// First byte: bit 0 sets the checksums; the rest is how many bytes come at a time.
void Run(std::span<const uint8_t> input) {
  if (input.empty()) return;
  const uint8_t form = input[0];
  Bytes stream(input.begin() + 1, input.end());
  if ((form & 1) != 0) SetChecksums(stream);
  const size_t piece = form < 2 ? stream.size() + 1 : form / 2u;
  FrameDecoder decoder(1 << 16);
  std::vector<Frame> frames;
  for (size_t at = 0; at < stream.size(); at += piece) {
    const size_t size = std::min(piece, stream.size() - at);
    if (!decoder.Feed({stream.data() + at, size}, &frames).ok()) break;
  }
  size_t read = 0;
  for (const Frame& frame : frames) {
    TakePayload(frame);
    const std::vector<uint8_t> encoded = EncodeFrame(frame);
    BRAID_CHECK(
        std::equal(encoded.begin(), encoded.end(), stream.begin() + static_cast<ptrdiff_t>(read)));
    read += encoded.size();
  }
}

Frame Of(FrameKind kind, std::vector<uint8_t> payload) {
  Frame frame;
  frame.kind = kind;
  frame.key = {.requester = 7, .incarnation = 1, .request = 3, .attempt = 1};
  frame.payload = std::move(payload);
  return frame;
}

std::vector<Bytes> Seeds() {
  const Start start{.point = 1,
                    .images = 1,
                    .remaining_us = 1000,
                    .placement = {{control::DeviceId{7}, 0, GroupSet(0b0011)},
                                  {control::DeviceId{8}, 0, GroupSet(0b1100)}},
                    .pixels = {1, 2, 3, 4}};
  const std::vector<Frame> frames = {
      Of(FrameKind::kHello, EncodeHello({.group = "braid",
                                         .device = "a",
                                         .model_digest = "00ff",
                                         .incarnation = 9,
                                         .share = GroupSet(0b0011),
                                         .credit = 8})),
      Of(FrameKind::kStart, EncodeStart(start)),
      Of(FrameKind::kMap, {1, 2, 3}),
      Of(FrameKind::kLogits, {1, 0, 0, 0, 2, 0, 0, 0}),
      Of(FrameKind::kFailed, EncodeFailed({.failure = 1, .culprit = 8, .reason = "away"})),
      Of(FrameKind::kAbort, {}),
      Of(FrameKind::kPing, {1, 2, 3, 4, 5, 6, 7, 8}),
      Of(FrameKind::kPong, EncodePong({.echo = 5, .requests_queued = 1, .macs_per_second = 9})),
      Of(FrameKind::kBye, EncodeBye("done"))};
  std::vector<Bytes> seeds;
  Bytes all = {0};
  for (const Frame& frame : frames) {
    Bytes one = {1};
    AppendFrame(frame, &one);
    seeds.push_back(one);
    AppendFrame(frame, &all);
  }
  seeds.push_back(all);
  all[0] = 33;  // 16 bytes at a time
  seeds.push_back(all);
  return seeds;
}

}  // namespace

const Target kFrames = {"frames", Run, Seeds};

}  // namespace braid::fuzz
