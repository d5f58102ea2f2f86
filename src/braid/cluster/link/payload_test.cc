// Payload codecs: what was encoded comes back; any other bytes are an error or a valid value.
#include <gtest/gtest.h>

#include "braid/base/rng.h"
#include "braid/cluster/link/byte_order.h"
#include "braid/cluster/link/frame.h"

namespace braid::cluster {
namespace {

using control::DeviceId;

Hello SomeHello() {
  Hello hello;
  hello.group = "kitchen";
  hello.device = "left";
  hello.model_digest = std::string(64, 'a');
  hello.incarnation = 0x0123456789abcdef;
  hello.share = GroupSet(0b1010);
  hello.credit = 64;
  return hello;
}

Start SomeStart() {
  Start start;
  start.point = 3;
  start.images = 2;
  start.remaining_us = 1'000'000;
  start.placement = {
      {DeviceId{7}, 0, GroupSet(1)}, {DeviceId{8}, 0, GroupSet(6)}, {DeviceId{7}, 1, GroupSet(1)}};
  start.pixels = {1, 2, 3, 4};
  return start;
}

// Every way to cut `payload` short, and one byte too many, must be an error.
template <typename Decode>
void ExpectRefusesOtherLengths(std::vector<uint8_t> payload, Decode decode) {
  for (size_t kept = 0; kept < payload.size(); ++kept) {
    EXPECT_EQ(decode(std::span<const uint8_t>(payload).first(kept)).status().code(),
              StatusCode::kInvalidArgument)
        << "first " << kept << " of " << payload.size();
  }
  payload.push_back(0);
  EXPECT_FALSE(decode(payload).ok());
}

TEST(PayloadTest, HelloComesBack) {
  const Hello sent = SomeHello();
  const Result<Hello> got = DecodeHello(EncodeHello(sent));
  ASSERT_TRUE(got.ok()) << got.status().ToString();
  EXPECT_EQ(got->version, sent.version);
  EXPECT_EQ(got->group, sent.group);
  EXPECT_EQ(got->device, sent.device);
  EXPECT_EQ(got->model_digest, sent.model_digest);
  EXPECT_EQ(got->incarnation, sent.incarnation);
  EXPECT_EQ(got->share, sent.share);
  EXPECT_EQ(got->credit, sent.credit);
  ExpectRefusesOtherLengths(EncodeHello(sent), DecodeHello);
}

TEST(PayloadTest, HelloOfTheLongestNamesFitsItsFrame) {
  Hello hello = SomeHello();
  hello.group = std::string(kMaxNameBytes, 'g');
  hello.device = std::string(kMaxNameBytes, 'd');
  hello.model_digest = std::string(kMaxDigestBytes, '0');
  Frame frame;
  frame.kind = FrameKind::kHello;
  frame.payload = EncodeHello(hello);
  FrameDecoder decoder;
  std::vector<Frame> frames;
  ASSERT_TRUE(decoder.Feed(EncodeFrame(frame), &frames).ok());
  EXPECT_EQ(DecodeHello(frames.at(0).payload)->device, hello.device);
}

TEST(PayloadTest, HelloRefusesWhatCouldDeceiveALogOrABitMask) {
  Hello hello = SomeHello();
  hello.device = "left\x1b[2J";
  EXPECT_FALSE(DecodeHello(EncodeHello(hello)).ok());
  hello = SomeHello();
  hello.device = "";
  EXPECT_FALSE(DecodeHello(EncodeHello(hello)).ok());
  hello = SomeHello();
  hello.share = GroupSet(1u << kMaxGroups);
  EXPECT_FALSE(DecodeHello(EncodeHello(hello)).ok());
}

TEST(PayloadTest, HelloRefusesANameLongerThanTheLimitEvenWhenItsBytesAreThere) {
  std::vector<uint8_t> payload;
  ByteWriter writer(&payload);
  writer.Put(kWireVersion);
  writer.PutText(std::string(kMaxNameBytes + 1, 'g'));
  payload.resize(payload.size() + 500, 0);
  EXPECT_FALSE(DecodeHello(payload).ok());
}

TEST(PayloadTest, StartComesBack) {
  const Start sent = SomeStart();
  const Result<Start> got = DecodeStart(EncodeStart(sent));
  ASSERT_TRUE(got.ok()) << got.status().ToString();
  EXPECT_EQ(got->point, sent.point);
  EXPECT_EQ(got->images, sent.images);
  EXPECT_EQ(got->remaining_us, sent.remaining_us);
  EXPECT_EQ(got->placement, sent.placement);
  EXPECT_EQ(got->pixels, sent.pixels);
}

TEST(PayloadTest, StartRefusesCutBytesUnlessWholeImagesRemain) {
  const std::vector<uint8_t> payload = EncodeStart(SomeStart());
  for (size_t kept = 0; kept < payload.size(); ++kept) {
    const Result<Start> got = DecodeStart(std::span<const uint8_t>(payload).first(kept));
    const size_t pixels_at = payload.size() - 4;
    const bool whole = kept >= pixels_at && (kept - pixels_at) % 2 == 0;
    EXPECT_EQ(got.ok(), whole) << "first " << kept << " of " << payload.size();
  }
}

TEST(PayloadTest, StartRefusesImpossiblePlacements) {
  const auto decoded = [](const Start& start) { return DecodeStart(EncodeStart(start)).ok(); };
  Start start = SomeStart();
  start.placement[1].local = GroupSet(3);  // group 0 of term 0 has a device already
  EXPECT_FALSE(decoded(start));
  start = SomeStart();
  start.placement[1].device = DeviceId{7};  // twice in term 0
  EXPECT_FALSE(decoded(start));
  start = SomeStart();
  start.placement[1].local = GroupSet();
  EXPECT_FALSE(decoded(start));
  start = SomeStart();
  start.placement[1].local = GroupSet(1u << kMaxGroups);
  EXPECT_FALSE(decoded(start));
  start = SomeStart();
  start.images = 3;  // 4 bytes of pixels
  EXPECT_FALSE(decoded(start));
  start.images = 0;
  EXPECT_FALSE(decoded(start));
}

TEST(PayloadTest, StartRefusesACountOfAssignmentsThatItDoesNotHold) {
  std::vector<uint8_t> payload = EncodeStart(SomeStart());
  payload[16] = 0xff;
  payload[17] = 0xff;
  EXPECT_FALSE(DecodeStart(payload).ok());
  payload[16] = 200;
  payload[17] = 0;
  EXPECT_FALSE(DecodeStart(payload).ok());
}

TEST(PayloadTest, FailedComesBackWithAReasonFitForALog) {
  const Failed sent{2, 99, "no \x1b[31mcredit\xff"};
  const Result<Failed> got = DecodeFailed(EncodeFailed(sent));
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->failure, sent.failure);
  EXPECT_EQ(got->culprit, sent.culprit);
  EXPECT_EQ(got->reason, "no ?[31mcredit?");
  ExpectRefusesOtherLengths(EncodeFailed(sent), DecodeFailed);
  const Failed endless{0, 0, std::string(100'000, 'x')};
  EXPECT_EQ(DecodeFailed(EncodeFailed(endless))->reason.size(), kMaxReasonBytes);
}

TEST(PayloadTest, PongComesBack) {
  const Pong sent{1, 2, 3};
  const Result<Pong> got = DecodePong(EncodePong(sent));
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->echo, 1u);
  EXPECT_EQ(got->requests_queued, 2u);
  EXPECT_EQ(got->macs_per_second, 3u);
  ExpectRefusesOtherLengths(EncodePong(sent), DecodePong);
}

TEST(PayloadTest, ByeIsCutAndCleaned) {
  EXPECT_EQ(DecodeBye(EncodeBye("other model\n")), "other model?");
  EXPECT_EQ(EncodeBye(std::string(5000, 'x')).size(), kMaxReasonBytes);
}

TEST(PayloadTest, DecodersSurviveRandomBytes) {
  Rng rng(3);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<uint8_t> bytes(rng.Below(80));
    // Small values make plausible lengths and counts.
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(rng.Below(round % 2 == 0 ? 4 : 256));
    if (const Result<Start> start = DecodeStart(bytes); start.ok()) {
      EXPECT_EQ(EncodeStart(*start), bytes);
    }
    if (const Result<Hello> hello = DecodeHello(bytes); hello.ok()) {
      EXPECT_EQ(EncodeHello(*hello), bytes);
    }
    EXPECT_EQ(DecodePong(bytes).ok(), bytes.size() == 20u);
    (void)DecodeFailed(bytes);
  }
}

}  // namespace
}  // namespace braid::cluster
