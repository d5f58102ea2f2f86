// The frame codec: any chunking gives the frames back, any damage is noticed.
#include "braid/cluster/link/frame.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "braid/base/rng.h"
#include "braid/cluster/link/byte_order.h"
#include "braid/cluster/link/crc32c.h"

namespace braid::cluster {
namespace {

std::vector<uint8_t> RandomBytes(size_t size, Rng* rng) {
  std::vector<uint8_t> bytes(size);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(rng->Next());
  return bytes;
}

Frame RandomFrame(Rng* rng) {
  Frame frame;
  frame.kind = static_cast<FrameKind>(rng->Between(1, 9));
  frame.key = {rng->Next(), rng->Next(), rng->Next(), static_cast<uint32_t>(rng->Next())};
  frame.term = static_cast<uint8_t>(rng->Next());
  frame.group = static_cast<uint8_t>(rng->Below(kMaxGroups));
  frame.layer = static_cast<uint16_t>(rng->Next());
  frame.decision_digest = static_cast<uint32_t>(rng->Next());
  size_t size = rng->Below(300);
  if (frame.kind == FrameKind::kAbort) size = 0;
  if (frame.kind == FrameKind::kPing) size = 8;
  if (frame.kind == FrameKind::kPong) size = 20;
  if (frame.kind == FrameKind::kLogits) size *= 4;
  frame.payload = RandomBytes(size, rng);
  return frame;
}

void ExpectSame(const Frame& a, const Frame& b) {
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.key, b.key);
  EXPECT_EQ(a.term, b.term);
  EXPECT_EQ(a.group, b.group);
  EXPECT_EQ(a.layer, b.layer);
  EXPECT_EQ(a.decision_digest, b.decision_digest);
  EXPECT_EQ(a.payload, b.payload);
}

Frame Map(std::vector<uint8_t> payload) {
  Frame frame;
  frame.kind = FrameKind::kMap;
  frame.key = {1, 2, 3, 4};
  frame.group = 1;
  frame.layer = 2;
  frame.payload = std::move(payload);
  return frame;
}

// A frame with one header field overwritten and all checksums right: what a malicious member sends.
std::vector<uint8_t> Forged(const Frame& frame, size_t at, std::vector<uint8_t> field) {
  std::vector<uint8_t> bytes = EncodeFrame(frame);
  std::copy(field.begin(), field.end(), bytes.begin() + static_cast<ptrdiff_t>(at));
  const uint32_t header_crc = Crc32c({bytes.data(), 48});
  StoreLittleEndian(header_crc, bytes.data() + 48);
  StoreLittleEndian(ExtendCrc32c(header_crc, frame.payload), bytes.data() + bytes.size() - 4);
  return bytes;
}

StatusCode CodeOf(const std::vector<uint8_t>& bytes) {
  FrameDecoder decoder;
  std::vector<Frame> frames;
  const Status status = decoder.Feed(bytes, &frames);
  EXPECT_EQ(frames.size(), status.ok() ? 1u : 0u);
  return status.code();
}

// The bytes are a contract between versions: docs/cluster.md, "Frames".
TEST(FrameTest, LaysOutTheDocumentedBytes) {
  Frame frame = Map({0xAA, 0xBB});
  frame.key = {0x0102030405060708, 0x1112131415161718, 0x2122232425262728, 0x31323334};
  frame.term = 5;
  frame.layer = 0x4142;
  frame.decision_digest = 0x51525354;
  const std::vector<uint8_t> bytes = EncodeFrame(frame);
  const std::vector<uint8_t> expected = {
      'B',  'R',  'A',  'D',  1,    0,    3,    5,     // magic, version, kind, term
      8,    7,    6,    5,    4,    3,    2,    1,     // requester
      0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,  // incarnation
      0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21,  // request
      0x34, 0x33, 0x32, 0x31, 0x42, 0x41, 1,    0,     // attempt, layer, group
      0x54, 0x53, 0x52, 0x51, 2,    0,    0,    0};    // decision digest, length
  ASSERT_EQ(bytes.size(), kFrameHeaderBytes + 2 + kFrameTrailerBytes);
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), bytes.begin()));
  std::vector<uint8_t> covered = expected;
  EXPECT_EQ(LoadLittleEndian<uint32_t>(&bytes[48]), Crc32c(covered));
  EXPECT_EQ(bytes[52], 0xAA);
  EXPECT_EQ(bytes[53], 0xBB);
  covered.insert(covered.end(), {0xAA, 0xBB});
  EXPECT_EQ(LoadLittleEndian<uint32_t>(&bytes[54]), Crc32c(covered));
}

TEST(FrameTest, ComesBackFromAnyChunking) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Rng rng(seed);
    std::vector<Frame> sent;
    std::vector<uint8_t> stream;
    for (int i = 0; i < 20; ++i) {
      sent.push_back(RandomFrame(&rng));
      AppendFrame(sent.back(), &stream);
    }
    // Seed 1: one byte at a time; others: chunks of any size, often small ones.
    const uint64_t largest = seed == 1 ? 1 : 1 + rng.Below(seed % 2 == 0 ? 60 : 4000);
    FrameDecoder decoder;
    std::vector<Frame> received;
    std::span<const uint8_t> rest(stream);
    while (!rest.empty()) {
      const size_t chunk = std::min<size_t>(rest.size(), 1 + rng.Below(largest));
      ASSERT_TRUE(decoder.Feed(rest.first(chunk), &received).ok()) << "seed " << seed;
      rest = rest.subspan(chunk);
    }
    EXPECT_TRUE(decoder.AtFrameBoundary());
    ASSERT_EQ(received.size(), sent.size()) << "seed " << seed;
    for (size_t i = 0; i < sent.size(); ++i) ExpectSame(received[i], sent[i]);
  }
}

TEST(FrameTest, NoticesEverySingleFlippedBit) {
  Rng rng(7);
  for (const size_t size : {size_t{0}, size_t{1}, size_t{37}}) {
    const std::vector<uint8_t> good = EncodeFrame(Map(RandomBytes(size, &rng)));
    for (size_t bit = 0; bit < good.size() * 8; ++bit) {
      std::vector<uint8_t> bytes = good;
      bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] ^ (1 << (bit % 8)));
      FrameDecoder decoder;
      std::vector<Frame> frames;
      const Status status = decoder.Feed(bytes, &frames);
      EXPECT_EQ(status.code(), StatusCode::kDataLoss) << "size " << size << " bit " << bit;
      EXPECT_TRUE(frames.empty());
    }
  }
}

TEST(FrameTest, NoticesAPayloadUnderAnotherFramesHeader) {
  const std::vector<uint8_t> a = EncodeFrame(Map({1, 2, 3}));
  Frame other = Map({4, 5, 6});
  other.layer = 9;
  std::vector<uint8_t> mixed = EncodeFrame(other);
  // Payload and trailer of `a`, both whole, behind the header of `other`.
  std::copy(a.begin() + kFrameHeaderBytes, a.end(), mixed.begin() + kFrameHeaderBytes);
  EXPECT_EQ(CodeOf(mixed), StatusCode::kDataLoss);
}

TEST(FrameTest, WaitsForTheRestOfACutFrame) {
  const std::vector<uint8_t> whole = EncodeFrame(Map({1, 2, 3, 4, 5}));
  for (size_t kept = 1; kept < whole.size(); ++kept) {
    FrameDecoder decoder;
    std::vector<Frame> frames;
    ASSERT_TRUE(decoder.Feed({whole.data(), kept}, &frames).ok());
    EXPECT_TRUE(frames.empty());
    EXPECT_FALSE(decoder.AtFrameBoundary());
    ASSERT_TRUE(decoder.Feed({whole.data() + kept, whole.size() - kept}, &frames).ok());
    EXPECT_EQ(frames.size(), 1u);
  }
}

TEST(FrameTest, RefusesForgedFieldsWhoseChecksumsAreRight) {
  const Frame map = Map({1, 2, 3, 4});
  EXPECT_EQ(CodeOf(Forged(map, 4, {2, 0})), StatusCode::kFailedPrecondition);      // version
  EXPECT_EQ(CodeOf(Forged(map, 6, {0})), StatusCode::kInvalidArgument);            // kind
  EXPECT_EQ(CodeOf(Forged(map, 6, {10})), StatusCode::kInvalidArgument);           // kind
  EXPECT_EQ(CodeOf(Forged(map, 38, {kMaxGroups})), StatusCode::kInvalidArgument);  // group
  EXPECT_EQ(CodeOf(Forged(map, 39, {1})), StatusCode::kInvalidArgument);           // reserved
  EXPECT_EQ(CodeOf(Forged(map, 44, {0xff, 0xff, 0xff, 0xff})), StatusCode::kResourceExhausted);
  EXPECT_EQ(CodeOf(Forged(map, 44, {1, 0, 0, 1})), StatusCode::kResourceExhausted);  // 16 MiB + 1
  EXPECT_EQ(CodeOf(Forged(map, 6, {5})), StatusCode::kOk);                           // kFailed
  EXPECT_EQ(CodeOf(Forged(map, 6, {6})), StatusCode::kResourceExhausted);            // kAbort
  EXPECT_EQ(CodeOf(Forged(map, 6, {7})), StatusCode::kInvalidArgument);              // kPing
  EXPECT_EQ(CodeOf(Forged(Map({1, 2, 3}), 6, {4})), StatusCode::kInvalidArgument);   // kLogits
}

TEST(FrameTest, KeepsToASmallerLimitWhenGivenOne) {
  FrameDecoder decoder(10);
  std::vector<Frame> frames;
  ASSERT_TRUE(decoder.Feed(EncodeFrame(Map(std::vector<uint8_t>(10))), &frames).ok());
  EXPECT_EQ(decoder.Feed(EncodeFrame(Map(std::vector<uint8_t>(11))), &frames).code(),
            StatusCode::kResourceExhausted);
  EXPECT_EQ(frames.size(), 1u);
}

TEST(FrameTest, StaysFailedAfterAnError) {
  FrameDecoder decoder;
  std::vector<Frame> frames;
  const std::vector<uint8_t> good = EncodeFrame(Map({1}));
  std::vector<uint8_t> stream = good;
  stream.push_back('X');
  stream.insert(stream.end(), good.begin(), good.end());
  EXPECT_EQ(decoder.Feed(stream, &frames).code(), StatusCode::kDataLoss);
  EXPECT_EQ(frames.size(), 1u);  // the one before the damage
  EXPECT_EQ(decoder.Feed(good, &frames).code(), StatusCode::kDataLoss);
  EXPECT_EQ(frames.size(), 1u);
}

TEST(FrameTest, NamesAPeerThatSpeaksTlsByItsFirstBytes) {
  FrameDecoder decoder;
  std::vector<Frame> frames;
  const std::vector<uint8_t> tls_alert = {0x15, 3, 3, 0, 2, 2, 40};
  const Status status = decoder.Feed(tls_alert, &frames);
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_NE(status.message().find("TLS"), std::string::npos) << status.message();
}

TEST(FrameTest, SurvivesRandomBytes) {
  Rng rng(11);
  for (int round = 0; round < 2000; ++round) {
    FrameDecoder decoder;
    std::vector<Frame> frames;
    std::vector<uint8_t> bytes = RandomBytes(1 + rng.Below(200), &rng);
    // Half of the rounds get past the magic.
    if (round % 2 == 0 && bytes.size() >= 4) std::copy_n("BRAD", 4, bytes.begin());
    const Status status = decoder.Feed(bytes, &frames);
    EXPECT_TRUE(frames.empty());
    EXPECT_TRUE(bytes.size() < kFrameHeaderBytes || !status.ok());
  }
}

}  // namespace
}  // namespace braid::cluster
