// TLS channels joined by hand, without sockets: who agrees with whom, and what damage does.
#include "braid/cluster/link/tls_channel.h"

#include <gtest/gtest.h>

#include "braid/base/rng.h"

namespace braid::cluster {
namespace {

using Side = TlsChannel::Side;

PreSharedKey Key(uint8_t seed) {
  std::array<uint8_t, PreSharedKey::kBytes> bytes{};
  Rng rng(seed);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(rng.Next());
  return PreSharedKey(bytes);
}

std::unique_ptr<TlsContext> Context(const std::string& group, uint8_t key,
                                    std::optional<uint8_t> previous = std::nullopt,
                                    uint64_t records_per_key = 1 << 20) {
  KeyRing ring{group, Key(key), std::nullopt};
  if (previous) ring.previous = Key(*previous);
  Result<std::unique_ptr<TlsContext>> made = TlsContext::Create(ring, records_per_key);
  EXPECT_TRUE(made.ok()) << made.status().ToString();
  return std::move(*made);
}

// Two channels and the bytes between them.
struct Pair {
  Pair(const TlsContext* dialer, const TlsContext* listener, bool offer_previous = false)
      : dialed(dialer, Side::kDialed, offer_previous), accepted(listener, Side::kAccepted, false) {}

  // Moves bytes in pieces of `piece` until nothing moves.
  void Pump(size_t piece = 100'000) {
    while (!to_accepted.empty() || !to_dialed.empty()) {
      Move(&to_accepted, &accepted, &got_accepted, &to_dialed, &accepted_status, piece);
      Move(&to_dialed, &dialed, &got_dialed, &to_accepted, &dialed_status, piece);
    }
  }
  void Handshake(size_t piece = 100'000) {
    EXPECT_TRUE(dialed.Start(&to_accepted).ok());
    EXPECT_TRUE(accepted.Start(&to_dialed).ok());
    Pump(piece);
  }
  static void Move(std::vector<uint8_t>* bytes, TlsChannel* to, std::vector<uint8_t>* plain,
                   std::vector<uint8_t>* answer, Status* status, size_t piece) {
    const std::vector<uint8_t> moved = std::exchange(*bytes, {});
    for (size_t at = 0; at < moved.size() && status->ok(); at += piece) {
      const size_t size = std::min(piece, moved.size() - at);
      *status = to->Receive({moved.data() + at, size}, plain, answer);
    }
  }

  TlsChannel dialed, accepted;
  std::vector<uint8_t> to_accepted, to_dialed;
  std::vector<uint8_t> got_accepted, got_dialed;
  Status accepted_status, dialed_status;
};

std::vector<uint8_t> RandomBytes(size_t size, uint64_t seed) {
  Rng rng(seed);
  std::vector<uint8_t> bytes(size);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(rng.Next());
  return bytes;
}

TEST(TlsChannelTest, CarriesBytesBothWaysInAnyPieces) {
  const auto context = Context("g", 1);
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{100'000}}) {
    Pair pair(context.get(), context.get());
    pair.Handshake(piece);
    ASSERT_TRUE(pair.dialed.established()) << pair.accepted_status.ToString();
    ASSERT_TRUE(pair.accepted.established()) << pair.accepted_status.ToString();
    const std::vector<uint8_t> sent = RandomBytes(50'000, 1);
    ASSERT_TRUE(pair.dialed.Encrypt(sent, &pair.to_accepted).ok());
    ASSERT_TRUE(pair.accepted.Encrypt(sent, &pair.to_dialed).ok());
    pair.Pump(piece);
    EXPECT_EQ(pair.got_accepted, sent);
    EXPECT_EQ(pair.got_dialed, sent);
  }
}

TEST(TlsChannelTest, HidesWhatItCarries) {
  const auto context = Context("g", 1);
  Pair pair(context.get(), context.get());
  pair.Handshake();
  const std::string secret = "a secret that is easy to find";
  ASSERT_TRUE(pair.dialed
                  .Encrypt({reinterpret_cast<const uint8_t*>(secret.data()), secret.size()},
                           &pair.to_accepted)
                  .ok());
  const std::string wire(pair.to_accepted.begin(), pair.to_accepted.end());
  EXPECT_EQ(wire.find("secret"), std::string::npos);
}

TEST(TlsChannelTest, EndsInOrder) {
  const auto context = Context("g", 1);
  Pair pair(context.get(), context.get());
  pair.Handshake();
  pair.dialed.End(&pair.to_accepted);
  EXPECT_FALSE(pair.accepted.ended_by_peer());
  pair.Pump();
  EXPECT_TRUE(pair.accepted_status.ok());
  EXPECT_TRUE(pair.accepted.ended_by_peer());
}

TEST(TlsChannelTest, RefusesAnotherKey) {
  const auto ours = Context("g", 1);
  const auto theirs = Context("g", 2);
  Pair pair(theirs.get(), ours.get());
  pair.Handshake();
  EXPECT_FALSE(pair.dialed.established() || pair.accepted.established());
  EXPECT_EQ(pair.accepted_status.code(), StatusCode::kUnauthenticated);
  EXPECT_NE(pair.accepted_status.message().find("another key"), std::string::npos)
      << pair.accepted_status.message();
  EXPECT_EQ(pair.dialed_status.code(), StatusCode::kUnauthenticated);
  EXPECT_NE(pair.dialed_status.message().find("another key or group"), std::string::npos)
      << pair.dialed_status.message();
}

TEST(TlsChannelTest, RefusesAnotherGroupEvenWithTheSameKey) {
  const auto ours = Context("kitchen", 1);
  const auto theirs = Context("garage", 1);
  Pair pair(theirs.get(), ours.get());
  pair.Handshake();
  EXPECT_FALSE(pair.dialed.established() || pair.accepted.established());
  EXPECT_NE(pair.accepted_status.message().find("garage"), std::string::npos)
      << pair.accepted_status.message();
  EXPECT_EQ(pair.dialed_status.code(), StatusCode::kUnauthenticated);
}

TEST(TlsChannelTest, AcceptsBothKeysDuringAChange) {
  const auto changed = Context("g", 2, 1);  // new key 2, old key 1 still accepted
  const auto old = Context("g", 1);
  const auto fresh = Context("g", 2);
  Pair from_old(old.get(), changed.get());
  from_old.Handshake();
  EXPECT_TRUE(from_old.dialed.established() && from_old.accepted.established());
  Pair from_new(fresh.get(), changed.get());
  from_new.Handshake();
  EXPECT_TRUE(from_new.dialed.established() && from_new.accepted.established());
  Pair to_old(changed.get(), old.get(), /*offer_previous=*/true);
  to_old.Handshake();
  EXPECT_TRUE(to_old.dialed.established() && to_old.accepted.established());
  Pair too_new(changed.get(), old.get());
  too_new.Handshake();
  EXPECT_FALSE(too_new.dialed.established() || too_new.accepted.established());
}

TEST(TlsChannelTest, ReplacesItsSendingKeyAsItGoes) {
  const auto context = Context("g", 1, std::nullopt, /*records_per_key=*/3);
  Pair pair(context.get(), context.get());
  pair.Handshake();
  std::vector<uint8_t> sent;
  for (uint8_t i = 0; i < 20; ++i) {
    const std::vector<uint8_t> bytes(100, i);
    ASSERT_TRUE(pair.dialed.Encrypt(bytes, &pair.to_accepted).ok());
    ASSERT_TRUE(pair.accepted.Encrypt(bytes, &pair.to_dialed).ok());
    sent.insert(sent.end(), bytes.begin(), bytes.end());
    if (i % 2 == 0) pair.Pump();
  }
  pair.Pump();
  EXPECT_EQ(pair.got_accepted, sent);
  EXPECT_EQ(pair.got_dialed, sent);
}

TEST(TlsChannelTest, NoticesEveryFlippedByteOfARecord) {
  const auto context = Context("g", 1);
  for (size_t at = 0;; ++at) {
    Pair pair(context.get(), context.get());
    pair.Handshake();
    ASSERT_TRUE(pair.dialed.Encrypt(RandomBytes(10, 1), &pair.to_accepted).ok());
    if (at >= pair.to_accepted.size()) break;
    pair.to_accepted[at] ^= 0x10;
    pair.Pump();
    EXPECT_TRUE(pair.got_accepted.empty()) << "byte " << at;
    // A longer length waits for bytes; everything else is refused at once.
    EXPECT_TRUE(!pair.accepted_status.ok() || at == 3 || at == 4) << "byte " << at;
  }
}

TEST(TlsChannelTest, AgreesOnNothingWhenHandshakeBytesAreDamaged) {
  const auto context = Context("g", 1);
  Rng rng(5);
  for (int round = 0; round < 200; ++round) {
    Pair pair(context.get(), context.get());
    ASSERT_TRUE(pair.dialed.Start(&pair.to_accepted).ok());
    // Bytes 1 and 2 are the record's legacy version, which a receiver ignores (RFC 8446, 5.1).
    const size_t drawn = rng.Below(pair.to_accepted.size() - 2);
    const size_t at = drawn == 0 ? 0 : drawn + 2;
    pair.to_accepted[at] = static_cast<uint8_t>(pair.to_accepted[at] ^ (1 << rng.Below(8)));
    pair.Pump();
    EXPECT_FALSE(pair.dialed.established()) << "byte " << at;
    EXPECT_FALSE(pair.accepted.established()) << "byte " << at;
  }
}

// Who listened to a whole session knows all its bytes, and no key: they open no second channel.
TEST(TlsChannelTest, ARecordedSessionOpensNoOther) {
  const auto context = Context("g", 1);
  std::vector<uint8_t> recorded;
  {
    Pair pair(context.get(), context.get());
    ASSERT_TRUE(pair.dialed.Start(&pair.to_accepted).ok());
    ASSERT_TRUE(pair.accepted.Start(&pair.to_dialed).ok());
    const std::vector<uint8_t> secret = {1, 2, 3};
    for (int turn = 0; turn < 4; ++turn) {
      if (turn == 3) {
        ASSERT_TRUE(pair.dialed.Encrypt(secret, &pair.to_accepted).ok());
      }
      recorded.insert(recorded.end(), pair.to_accepted.begin(), pair.to_accepted.end());
      Pair::Move(&pair.to_accepted, &pair.accepted, &pair.got_accepted, &pair.to_dialed,
                 &pair.accepted_status, 100'000);
      Pair::Move(&pair.to_dialed, &pair.dialed, &pair.got_dialed, &pair.to_accepted,
                 &pair.dialed_status, 100'000);
    }
    ASSERT_EQ(pair.got_accepted, secret);
  }
  for (const size_t piece : {size_t{100'000}, size_t{64}}) {
    TlsChannel victim(context.get(), Side::kAccepted, false);
    std::vector<uint8_t> plain, wire;
    Status status = victim.Start(&wire);
    for (size_t at = 0; at < recorded.size() && status.ok(); at += piece) {
      const size_t size = std::min(piece, recorded.size() - at);
      status = victim.Receive({recorded.data() + at, size}, &plain, &wire);
    }
    EXPECT_FALSE(status.ok());
    EXPECT_FALSE(victim.established());
    EXPECT_TRUE(plain.empty());
  }
}

TEST(TlsChannelTest, RefusesAStrangerWhoDoesNotSpeakTls) {
  const auto context = Context("g", 1);
  for (const std::string& words : {std::string("BRAD\1\0\1\0 hello there", 21),
                                   std::string("GET / HTTP/1.1\r\n\r\n"), std::string(200, '\0')}) {
    TlsChannel channel(context.get(), Side::kAccepted, false);
    std::vector<uint8_t> plain, wire;
    const Status status = channel.Receive(
        {reinterpret_cast<const uint8_t*>(words.data()), words.size()}, &plain, &wire);
    EXPECT_EQ(status.code(), StatusCode::kUnauthenticated);
    EXPECT_TRUE(plain.empty());
    EXPECT_FALSE(channel.established());
  }
}

TEST(TlsChannelTest, SurvivesRandomBytes) {
  const auto context = Context("g", 1);
  Rng rng(9);
  for (uint64_t round = 0; round < 500; ++round) {
    TlsChannel channel(context.get(), round % 2 == 0 ? Side::kAccepted : Side::kDialed, false);
    std::vector<uint8_t> plain, wire;
    ASSERT_TRUE(channel.Start(&wire).ok());
    std::vector<uint8_t> bytes = RandomBytes(rng.Below(400), round);
    if (bytes.size() > 5) {  // a plausible record head
      bytes[0] = static_cast<uint8_t>(20 + rng.Below(4));
      bytes[1] = 3;
      bytes[2] = 3;
      bytes[3] = 0;
    }
    (void)channel.Receive(bytes, &plain, &wire);
    EXPECT_TRUE(plain.empty());
    EXPECT_FALSE(channel.established());
  }
}

}  // namespace
}  // namespace braid::cluster
