// What only real sockets can get wrong: keys, strangers, limits, threads.
#include "braid/cluster/link/tcp_transport.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

#include "braid/cluster/link/address.h"
#include "braid/cluster/link/byte_order.h"
#include "braid/cluster/link/crc32c.h"
#include "braid/cluster/link/transport_fixture.h"

namespace braid::cluster {
namespace {

// A stranger on the loopback interface: a bare blocking socket.
class RawPeer {
 public:
  explicit RawPeer(const std::string& address) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(ParseAddress(address)->port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  }
  ~RawPeer() { ::close(fd_); }
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  void Send(std::span<const uint8_t> bytes) {
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  void EndSending() { ::shutdown(fd_, SHUT_WR); }
  // As if its network were gone: its system drops whatever comes, so nothing is acknowledged.
  void LoseNetwork() {
    sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
    const sock_fprog program{1, &drop};
    EXPECT_EQ(::setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
  }
  // Until the other side ends; everything that came.
  std::vector<uint8_t> ReceiveAll() {
    std::vector<uint8_t> all;
    uint8_t buffer[4096];
    for (;;) {
      const ssize_t got = ::recv(fd_, buffer, sizeof(buffer), 0);
      if (got <= 0) return all;
      all.insert(all.end(), buffer, buffer + got);
    }
  }

 private:
  int fd_;
};

KeyRing Ring(const std::string& group, const std::string& key, const std::string& previous = "") {
  Result<KeyRing> ring = KeyRing::Load(group, key, previous);
  BRAID_CHECK(ring.ok()) << ring.status().ToString();
  return *ring;
}

class TcpTransportTest : public ::testing::Test {
 protected:
  Station Plain(TransportLimits limits = {}) { return fabric_.MakeWith({.limits = limits}); }
  Station Keyed(const KeyRing& ring) { return fabric_.MakeWith({.keys = ring, .limits = {}}); }
  bool Settle(const std::function<bool()>& done) { return fabric_.Settle(done); }

  TcpFabric fabric_;
  KeyFolder folder_;
};

// ---- without a key ----

TEST_F(TcpTransportTest, StaysOnLoopbackWithoutAKey) {
  Station station = Plain();
  for (const char* address : {"0.0.0.0:0", ":0", "[::]:0"}) {
    EXPECT_EQ(station.transport->Listen(address).status().code(), StatusCode::kFailedPrecondition)
        << address;
  }
  station.transport->Dial("192.0.2.1:1");  // documentation address, RFC 5737
  ASSERT_TRUE(Settle([&] { return !station.handler->dial_failed.empty(); }));
  EXPECT_EQ(station.handler->dial_failed[0].second.code(), StatusCode::kFailedPrecondition);
}

TEST_F(TcpTransportTest, ListensAnywhereWithAKey) {
  Station station = Keyed(Ring("g", folder_.NewKey("key")));
  const Result<std::string> bound = station.transport->Listen("0.0.0.0:0");
  EXPECT_TRUE(bound.ok()) << bound.status().ToString();
}

TEST_F(TcpTransportTest, FindsTheLoopbackByItsName) {
  Station a = Plain();
  Station b = Plain();
  const std::string address = *a.transport->Listen("127.0.0.1:0");
  const std::string named = "localhost:" + std::to_string(ParseAddress(address)->port);
  b.transport->Dial(named);
  ASSERT_TRUE(
      Settle([&] { return !b.handler->connected.empty() || !b.handler->dial_failed.empty(); }));
  ASSERT_TRUE(b.handler->dial_failed.empty()) << b.handler->dial_failed[0].second.ToString();
  EXPECT_EQ(b.handler->connected[0].address, named);
}

TEST_F(TcpTransportTest, ReportsAHostThatDoesNotExist) {
  Station station = Plain();
  station.transport->Dial("no-such-host.invalid:1");
  ASSERT_TRUE(Settle([&] { return !station.handler->dial_failed.empty(); }));
  EXPECT_EQ(station.transport->Listen("no-such-host.invalid:1").status().code(),
            StatusCode::kUnavailable);
}

// ---- keys ----

TEST_F(TcpTransportTest, KeepsDevicesOfOtherKeysOut) {
  Station ours = Keyed(Ring("g", folder_.NewKey("ours")));
  Station theirs = Keyed(Ring("g", folder_.NewKey("theirs")));
  theirs.transport->Dial(*ours.transport->Listen("127.0.0.1:0"));
  ASSERT_TRUE(Settle(
      [&] { return !theirs.handler->dial_failed.empty() && !ours.handler->refused.empty(); }));
  EXPECT_EQ(theirs.handler->dial_failed[0].second.code(), StatusCode::kUnauthenticated);
  EXPECT_EQ(ours.handler->refused[0].second.code(), StatusCode::kUnauthenticated);
  EXPECT_TRUE(ours.handler->connected.empty() && theirs.handler->connected.empty());
}

TEST_F(TcpTransportTest, KeepsDevicesOfOtherGroupsOutEvenWithTheSameKey) {
  const std::string key = folder_.NewKey("key");
  Station ours = Keyed(Ring("kitchen", key));
  Station theirs = Keyed(Ring("garage", key));
  theirs.transport->Dial(*ours.transport->Listen("127.0.0.1:0"));
  ASSERT_TRUE(Settle(
      [&] { return !theirs.handler->dial_failed.empty() && !ours.handler->refused.empty(); }));
  EXPECT_EQ(theirs.handler->dial_failed[0].second.code(), StatusCode::kUnauthenticated);
  EXPECT_NE(ours.handler->refused[0].second.message().find("garage"), std::string::npos);
}

TEST_F(TcpTransportTest, DialsWithTheOtherKeyWhenTheFirstIsRefused) {
  const std::string old_key = folder_.NewKey("old");
  const std::string new_key = folder_.NewKey("new");
  Station old_one = Keyed(Ring("g", old_key));
  Station changed = Keyed(Ring("g", new_key, old_key));
  const std::string address = *old_one.transport->Listen("127.0.0.1:0");
  changed.transport->Dial(address);
  ASSERT_TRUE(Settle([&] { return changed.handler->dial_failed.size() == 1; }));
  changed.transport->Dial(address);
  changed.transport->Dial(address);  // stays with the key that was taken
  ASSERT_TRUE(Settle([&] { return changed.handler->connected.size() == 2; }));
  old_one.transport->Dial(*changed.transport->Listen("127.0.0.1:0"));
  ASSERT_TRUE(Settle([&] { return changed.handler->connected.size() == 3; }));
}

TEST_F(TcpTransportTest, NeverJoinsAPlainDialerToAKeyedListener) {
  Station plain = Plain();
  plain.handler->greet = MapFrame(1, {1});
  Station keyed = Keyed(Ring("g", folder_.NewKey("key")));
  plain.transport->Dial(*keyed.transport->Listen("127.0.0.1:0"));
  ASSERT_TRUE(
      Settle([&] { return !plain.handler->closed.empty() && !keyed.handler->refused.empty(); }));
  EXPECT_FALSE(plain.handler->closed[0].second.ok());
  EXPECT_NE(keyed.handler->refused[0].second.message().find("does not speak TLS"),
            std::string::npos)
      << keyed.handler->refused[0].second.message();
  EXPECT_TRUE(keyed.handler->connected.empty());
}

TEST_F(TcpTransportTest, NeverJoinsAKeyedDialerToAPlainListener) {
  Station plain = Plain();
  plain.handler->greet = MapFrame(1, {1});
  Station keyed = Keyed(Ring("g", folder_.NewKey("key")));
  keyed.transport->Dial(*plain.transport->Listen("127.0.0.1:0"));
  ASSERT_TRUE(Settle(
      [&] { return !plain.handler->closed.empty() && !keyed.handler->dial_failed.empty(); }));
  EXPECT_TRUE(keyed.handler->connected.empty());
  EXPECT_TRUE(plain.handler->frames.empty());
}

// ---- strangers and limits ----

TEST_F(TcpTransportTest, CutsAStrangerByItsFirstBytes) {
  Station station = Plain();
  RawPeer peer(*station.transport->Listen("127.0.0.1:0"));
  const std::string words = "GET / HTTP/1.1\r\n\r\n";
  peer.Send({reinterpret_cast<const uint8_t*>(words.data()), words.size()});
  EXPECT_TRUE(peer.ReceiveAll().empty());
  ASSERT_TRUE(Settle([&] { return !station.handler->closed.empty(); }));
  EXPECT_EQ(station.handler->closed[0].second.code(), StatusCode::kDataLoss);
}

TEST_F(TcpTransportTest, CutsAConnectionWhoseFrameIsDamaged) {
  Station station = Plain();
  RawPeer peer(*station.transport->Listen("127.0.0.1:0"));
  std::vector<uint8_t> bytes = EncodeFrame(MapFrame(1, {1, 2, 3}));
  AppendFrame(MapFrame(2, {1, 2, 3}), &bytes);
  bytes[bytes.size() - 6] ^= 1;
  peer.Send(bytes);
  EXPECT_TRUE(peer.ReceiveAll().empty());
  ASSERT_TRUE(Settle([&] { return !station.handler->closed.empty(); }));
  EXPECT_EQ(station.handler->frames.size(), 1u);
  EXPECT_EQ(station.handler->closed[0].second.code(), StatusCode::kDataLoss);
}

TEST_F(TcpTransportTest, CutsAnOversizedFrameByItsHeader) {
  Station station = Plain();
  RawPeer peer(*station.transport->Listen("127.0.0.1:0"));
  std::vector<uint8_t> header = EncodeFrame(MapFrame(1, {1, 2, 3}));
  header.resize(kFrameHeaderBytes);
  StoreLittleEndian(kMaxPayloadBytes + 1, header.data() + 44);  // docs/cluster.md, "Frames"
  StoreLittleEndian(Crc32c({header.data(), 48}), header.data() + 48);
  peer.Send(header);
  EXPECT_TRUE(peer.ReceiveAll().empty());
  ASSERT_TRUE(Settle([&] { return !station.handler->closed.empty(); }));
  EXPECT_EQ(station.handler->closed[0].second.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(station.handler->closed[0].second.message().find("payload of 16777217 bytes"),
            std::string::npos);
}

TEST_F(TcpTransportTest, TellsAnEndInAFrameFromAnEndInOrder) {
  Station station = Plain();
  const std::string address = *station.transport->Listen("127.0.0.1:0");
  const std::vector<uint8_t> bytes = EncodeFrame(MapFrame(1, {1, 2, 3}));
  RawPeer whole(address);
  whole.Send(bytes);
  whole.EndSending();
  ASSERT_TRUE(Settle([&] { return station.handler->closed.size() == 1; }));
  EXPECT_TRUE(station.handler->closed[0].second.ok());
  RawPeer part(address);
  part.Send(std::span(bytes).first(bytes.size() - 1));
  part.EndSending();
  ASSERT_TRUE(Settle([&] { return station.handler->closed.size() == 2; }));
  EXPECT_EQ(station.handler->closed[1].second.code(), StatusCode::kDataLoss);
}

TEST_F(TcpTransportTest, CutsAConnectionOnWhichNoFrameComes) {
  Station station = Plain({.first_frame = std::chrono::milliseconds(30)});
  RawPeer peer(*station.transport->Listen("127.0.0.1:0"));
  EXPECT_TRUE(peer.ReceiveAll().empty());
  ASSERT_TRUE(Settle([&] { return !station.handler->closed.empty(); }));
  EXPECT_EQ(station.handler->closed[0].second.code(), StatusCode::kDeadlineExceeded);
}

TEST_F(TcpTransportTest, RefusesAStrangerWhoNeverFinishesTheHandshake) {
  Station station = fabric_.MakeWith({.keys = Ring("g", folder_.NewKey("key")),
                                      .limits = {.first_frame = std::chrono::milliseconds(30)}});
  RawPeer peer(*station.transport->Listen("127.0.0.1:0"));
  EXPECT_TRUE(peer.ReceiveAll().empty());
  ASSERT_TRUE(Settle([&] { return !station.handler->refused.empty(); }));
  EXPECT_EQ(station.handler->refused[0].second.code(), StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(station.handler->connected.empty());
}

TEST_F(TcpTransportTest, RefusesMoreConnectionsThanItsLimit) {
  Station station = Plain({.connections = 2});
  const std::string address = *station.transport->Listen("127.0.0.1:0");
  RawPeer first(address);
  RawPeer second(address);
  RawPeer third(address);
  EXPECT_TRUE(third.ReceiveAll().empty());
  ASSERT_TRUE(Settle([&] { return !station.handler->refused.empty(); }));
  EXPECT_EQ(station.handler->refused[0].second.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(station.handler->connected.size(), 2u);
}

TEST_F(TcpTransportTest, CutsAPeerThatDoesNotTakeItsBytes) {
  Station station = Plain({.pending_bytes = 1 << 20});
  RawPeer peer(*station.transport->Listen("127.0.0.1:0"));
  ASSERT_TRUE(Settle([&] { return !station.handler->connected.empty(); }));
  const ConnectionId id = station.handler->connected[0].id;
  // More than any socket buffer holds besides the limit.
  for (int i = 0; i < 300; ++i) {
    station.transport->Send(id, MapFrame(0, std::vector<uint8_t>(500'000)));
  }
  ASSERT_TRUE(Settle([&] { return !station.handler->closed.empty(); }));
  EXPECT_EQ(station.handler->closed[0].second.code(), StatusCode::kResourceExhausted);
}

TEST_F(TcpTransportTest, GivesUpAConnectionWhoseNetworkFallsSilent) {
  Station station = Plain({.acknowledged = std::chrono::milliseconds(200)});
  RawPeer peer(*station.transport->Listen("127.0.0.1:0"));
  peer.Send(EncodeFrame(MapFrame(1, {1})));  // so that no first frame is waited for
  ASSERT_TRUE(Settle([&] { return !station.handler->frames.empty(); }));
  const ConnectionId id = station.handler->connected[0].id;
  peer.LoseNetwork();
  station.transport->Send(id, MapFrame(2, {2}));
  ASSERT_TRUE(Settle([&] { return !station.handler->closed.empty(); }));
  EXPECT_EQ(station.handler->closed[0].second.code(), StatusCode::kUnavailable);
  EXPECT_NE(station.handler->closed[0].second.message().find("timed out"), std::string::npos)
      << station.handler->closed[0].second.ToString();
}

// ---- threads ----

TEST_F(TcpTransportTest, TakesFramesFromManyThreadsInTheOrderOfEach) {
  Station a = Plain();
  Station b = Plain();
  b.transport->Dial(*a.transport->Listen("127.0.0.1:0"));
  ASSERT_TRUE(Settle([&] { return !b.handler->connected.empty(); }));
  const ConnectionId id = b.handler->connected[0].id;
  constexpr uint8_t kThreads = 4;
  constexpr uint16_t kFrames = 300;
  std::vector<std::thread> threads;
  for (uint8_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint16_t i = 0; i < kFrames; ++i) {
        Frame frame = MapFrame(i, std::vector<uint8_t>(i % 50));
        frame.group = t;
        b.transport->Send(id, std::move(frame));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(Settle([&] { return a.handler->frames.size() == size_t{kThreads} * kFrames; }));
  std::array<uint16_t, kThreads> next{};
  for (const auto& [from, frame] : a.handler->frames) {
    EXPECT_EQ(frame.layer, next[frame.group]++);
  }
}

TEST_F(TcpTransportTest, IsDestroyedInTheMiddleOfTraffic) {
  for (int round = 0; round < 10; ++round) {
    Station a = Plain();
    Station b = Plain();
    a.handler->echo = true;
    b.handler->echo = true;
    b.handler->greet = MapFrame(1, std::vector<uint8_t>(1000));
    const std::string address = *a.transport->Listen("127.0.0.1:0");
    b.transport->Dial(address);
    b.transport->Dial(address);
    ASSERT_TRUE(Settle([&] { return a.handler->frames.size() > 10; }));
    (round % 2 == 0 ? a : b).transport = nullptr;
  }
}

}  // namespace
}  // namespace braid::cluster
