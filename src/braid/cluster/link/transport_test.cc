// What every transport promises (transport.h), run on TCP, TCP with TLS, and the twin in memory.
#include "braid/cluster/link/transport.h"

#include <gtest/gtest.h>

#include <atomic>

#include "braid/base/rng.h"
#include "braid/cluster/link/transport_fixture.h"

namespace braid::cluster {
namespace {

template <typename Fabric>
class TransportTest : public ::testing::Test {
 protected:
  // Makes `a` listen and `b` connect to it.
  void Connect() {
    address_ = *a_.transport->Listen("127.0.0.1:0");
    b_.transport->Dial(address_);
    ASSERT_TRUE(Settle([this] { return !b().connected.empty() || !b().dial_failed.empty(); }));
    ASSERT_TRUE(b().dial_failed.empty()) << b().dial_failed[0].second.ToString();
    ASSERT_TRUE(Settle([this] { return !a().connected.empty(); }));
    at_a_ = a().connected[0].id;
    at_b_ = b().connected[0].id;
  }
  bool Settle(const std::function<bool()>& done) {
    return !this->HasFatalFailure() && fabric_.Settle(done);  // no use in waiting without Connect
  }
  RecordingHandler& a() { return *a_.handler; }
  RecordingHandler& b() { return *b_.handler; }

  Fabric fabric_;
  Station a_ = fabric_.Make();
  Station b_ = fabric_.Make();
  std::string address_;
  ConnectionId at_a_{};
  ConnectionId at_b_{};
};

using Fabrics = ::testing::Types<MemoryFabric, TcpFabric, TlsFabric>;
class FabricNames {
 public:
  template <typename T>
  static std::string GetName(int) {
    if (std::is_same_v<T, MemoryFabric>) return "Memory";
    return std::is_same_v<T, TcpFabric> ? "Tcp" : "Tls";
  }
};
TYPED_TEST_SUITE(TransportTest, Fabrics, FabricNames);

TYPED_TEST(TransportTest, TellsBothSidesOfAConnectionAndWhoDialed) {
  this->Connect();
  this->fabric_.Look([this] {
    EXPECT_FALSE(this->a().connected[0].dialed);
    EXPECT_TRUE(this->b().connected[0].dialed);
    EXPECT_EQ(this->b().connected[0].address, this->address_);
    return 0;
  });
}

TYPED_TEST(TransportTest, CarriesFramesOfAnySizeUnchangedAndInOrder) {
  this->Connect();
  Rng rng(1);
  std::vector<std::vector<uint8_t>> sent;
  for (const size_t size : {0, 1, 1000, 16384, 65536, 65537, 3, 1 << 20, 5}) {
    std::vector<uint8_t> payload(size);
    for (uint8_t& byte : payload) byte = static_cast<uint8_t>(rng.Next());
    this->b_.transport->Send(this->at_b_, MapFrame(static_cast<uint16_t>(sent.size()), payload));
    sent.push_back(payload);
  }
  ASSERT_TRUE(this->Settle([&] { return this->a().frames.size() == sent.size(); }));
  for (size_t i = 0; i < sent.size(); ++i) {
    const auto& [id, frame] = this->a().frames[i];
    EXPECT_EQ(id, this->at_a_);
    EXPECT_EQ(frame.layer, i);
    EXPECT_EQ(frame.payload, sent[i]);
  }
}

TYPED_TEST(TransportTest, CarriesBothWaysAtOnce) {
  this->a().echo = true;
  this->Connect();
  constexpr uint16_t kFrames = 500;
  for (uint16_t i = 0; i < kFrames; ++i) {
    this->b_.transport->Send(this->at_b_, MapFrame(i, std::vector<uint8_t>(i)));
  }
  ASSERT_TRUE(this->Settle([&] { return this->b().frames.size() == kFrames; }));
  for (uint16_t i = 0; i < kFrames; ++i) EXPECT_EQ(this->b().frames[i].second.layer, i);
}

TYPED_TEST(TransportTest, GivesTheNewsOfAConnectionBeforeItsFrames) {
  this->a().greet = MapFrame(1, {1});
  this->b().greet = MapFrame(2, {2});
  std::atomic<bool> early{false};
  for (RecordingHandler* handler : {&this->a(), &this->b()}) {
    handler->on_frame = [handler, &early, this](ConnectionId id, const Frame&) {
      const std::lock_guard lock(this->fabric_.signal()->mutex);
      if (handler->connected.empty() || handler->connected[0].id != id) early = true;
    };
  }
  this->Connect();
  ASSERT_TRUE(this->Settle(
      [this] { return this->a().frames.size() == 1 && this->b().frames.size() == 1; }));
  EXPECT_FALSE(early);
}

TYPED_TEST(TransportTest, KeepsConnectionsApart) {
  this->a().echo = true;
  this->Connect();
  Station c = this->fabric_.Make();
  c.transport->Dial(this->address_);
  c.transport->Dial(this->address_);
  ASSERT_TRUE(this->Settle([&] { return c.handler->connected.size() == 2; }));
  const ConnectionId first = c.handler->connected[0].id;
  const ConnectionId second = c.handler->connected[1].id;
  EXPECT_NE(first, second);
  c.transport->Send(first, MapFrame(1, {}));
  c.transport->Send(second, MapFrame(2, {}));
  this->b_.transport->Send(this->at_b_, MapFrame(3, {}));
  ASSERT_TRUE(
      this->Settle([&] { return c.handler->frames.size() == 2 && this->b().frames.size() == 1; }));
  for (const auto& [id, frame] : c.handler->frames) {
    EXPECT_EQ(frame.layer, id == first ? 1 : 2);
  }
  EXPECT_EQ(this->b().frames[0].second.layer, 3);
}

TYPED_TEST(TransportTest, ClosesAfterDeliveringWhatWasQueued) {
  this->Connect();
  constexpr size_t kFrames = 50;
  for (size_t i = 0; i < kFrames; ++i) {
    this->b_.transport->Send(this->at_b_, MapFrame(0, std::vector<uint8_t>(50'000)));
  }
  this->b_.transport->Close(this->at_b_, "enough");
  this->b_.transport->Send(this->at_b_, MapFrame(1, {}));  // too late, ignored
  ASSERT_TRUE(this->Settle([this] { return !this->a().closed.empty(); }));
  ASSERT_TRUE(this->Settle([this] { return !this->b().closed.empty(); }));
  EXPECT_EQ(this->a().frames.size(), kFrames);
  EXPECT_TRUE(this->a().closed[0].second.ok()) << this->a().closed[0].second.ToString();
  EXPECT_EQ(this->b().closed[0].second.code(), StatusCode::kCancelled);
  EXPECT_EQ(this->b().closed[0].second.message(), "enough");
}

TYPED_TEST(TransportTest, ReportsAnEndOnceWhenBothSidesClose) {
  this->Connect();
  this->a_.transport->Close(this->at_a_, "a");
  this->b_.transport->Close(this->at_b_, "b");
  this->b_.transport->Close(this->at_b_, "b again");
  ASSERT_TRUE(
      this->Settle([this] { return !this->a().closed.empty() && !this->b().closed.empty(); }));
  // Another connection's whole life passes before the count is looked at.
  this->b_.transport->Dial(this->address_);
  ASSERT_TRUE(this->Settle([this] { return this->a().connected.size() == 2; }));
  this->fabric_.Look([this] {
    EXPECT_EQ(this->a().closed.size(), 1u);
    EXPECT_EQ(this->b().closed.size(), 1u);
    return 0;
  });
}

TYPED_TEST(TransportTest, GivesNoFrameAfterItsConnectionWasClosed) {
  this->a().on_frame = [this](ConnectionId id, const Frame&) {
    this->a_.transport->Close(id, "one is enough");
  };
  this->Connect();
  for (uint16_t i = 0; i < 100; ++i) this->b_.transport->Send(this->at_b_, MapFrame(i, {}));
  ASSERT_TRUE(this->Settle([this] { return !this->a().closed.empty(); }));
  ASSERT_TRUE(this->Settle([this] { return !this->b().closed.empty(); }));
  EXPECT_EQ(this->a().frames.size(), 1u);
}

TYPED_TEST(TransportTest, NeverCallsTheHandlerFromInsideACall) {
  // Calls of every kind from inside a handler, on connections that end for several reasons.
  this->a().on_frame = [this](ConnectionId id, const Frame&) {
    this->a_.transport->Send(id, MapFrame(1, {}));
    this->a_.transport->Dial("127.0.0.1:nonsense");
    this->a_.transport->Dial(this->address_);
    this->a_.transport->Close(id, "done");
    this->a_.transport->Close(id, "done");
  };
  this->Connect();
  this->b_.transport->Send(this->at_b_, MapFrame(0, {}));
  ASSERT_TRUE(this->Settle([this] {
    return this->a().closed.size() == 1 && this->a().dial_failed.size() == 1 &&
           this->a().connected.size() == 3;
  }));
  EXPECT_FALSE(this->a().entered_twice);
  EXPECT_FALSE(this->b().entered_twice);
}

TYPED_TEST(TransportTest, ReportsADialThatNobodyAnswers) {
  const std::string address = *this->a_.transport->Listen("127.0.0.1:0");
  this->a_.Destroy();  // nobody is there now
  this->b_.transport->Dial(address);
  ASSERT_TRUE(this->Settle([this] { return !this->b().dial_failed.empty(); }));
  EXPECT_EQ(this->b().dial_failed[0].first, address);
  EXPECT_EQ(this->b().dial_failed[0].second.code(), StatusCode::kUnavailable);
}

TYPED_TEST(TransportTest, RefusesAddressesThatAreNone) {
  for (const char* address : {"", "nowhere", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000",
                              "127.0.0.1:-1", "[::1:5", "::1:5"}) {
    EXPECT_EQ(this->a_.transport->Listen(address).status().code(), StatusCode::kInvalidArgument)
        << address;
  }
}

TYPED_TEST(TransportTest, RefusesToListenWhereSomebodyDoes) {
  const std::string address = *this->a_.transport->Listen("127.0.0.1:0");
  EXPECT_EQ(this->b_.transport->Listen(address).status().code(), StatusCode::kAlreadyExists);
}

TYPED_TEST(TransportTest, IgnoresConnectionsThatItDoesNotKnow) {
  this->a_.transport->Send(ConnectionId{999}, MapFrame(0, {}));
  this->a_.transport->Close(ConnectionId{999}, "what");
  this->Connect();  // still works
}

TYPED_TEST(TransportTest, RunsTasksInOrder) {
  std::vector<int> ran;
  const auto note = [&](int number) {
    return [&ran, number, signal = this->fabric_.signal()] {
      const std::lock_guard lock(signal->mutex);
      ran.push_back(number);
      signal->changed.notify_all();
    };
  };
  Transport& transport = *this->a_.transport;
  transport.PostAfter(std::chrono::milliseconds(30), note(6));
  transport.PostAfter(std::chrono::milliseconds(10), note(4));
  transport.PostAfter(std::chrono::milliseconds(10), note(5));
  transport.Post(note(1));
  transport.Post([&] {
    transport.Post(note(3));  // behind what was posted before
    note(2)();
  });
  ASSERT_TRUE(this->Settle([&] { return ran.size() == 6; }));
  // 3 and 4 come from different queues; on a machine that stalls they may change places.
  std::erase(ran, 3);
  EXPECT_EQ(ran, (std::vector<int>{1, 2, 4, 5, 6}));
}

TYPED_TEST(TransportTest, RunsADelayedTaskNotBeforeItsTime) {
  const TimePoint start = this->a_.transport->clock().Now();
  std::optional<TimePoint> ran;
  this->a_.transport->PostAfter(std::chrono::milliseconds(20), [&] {
    const std::lock_guard lock(this->fabric_.signal()->mutex);
    ran = this->a_.transport->clock().Now();
    this->fabric_.signal()->changed.notify_all();
  });
  ASSERT_TRUE(this->Settle([&] { return ran.has_value(); }));
  EXPECT_GE(*ran - start, std::chrono::milliseconds(20));
}

TYPED_TEST(TransportTest, DropsWaitingTasksWhenDestroyed) {
  const auto held = std::make_shared<int>(1);
  std::atomic<bool> ran{false};
  this->a_.transport->PostAfter(std::chrono::hours(1), [held, &ran] { ran = true; });
  this->a_.Destroy();
  EXPECT_FALSE(ran);
  EXPECT_EQ(held.use_count(), 1);
}

TYPED_TEST(TransportTest, ClosesInOrderWhenDestroyed) {
  this->Connect();
  this->b_.transport->Send(this->at_b_, MapFrame(7, {1, 2, 3}));
  this->b_.Destroy();
  ASSERT_TRUE(this->Settle([this] { return !this->a().closed.empty(); }));
  EXPECT_TRUE(this->a().closed[0].second.ok()) << this->a().closed[0].second.ToString();
}

TYPED_TEST(TransportTest, CallsNoHandlerThatWasTakenAway) {
  this->Connect();
  this->a_.transport->SetHandler(nullptr);
  this->b_.transport->Send(this->at_b_, MapFrame(1, {}));
  this->b_.transport->Close(this->at_b_, "bye");
  ASSERT_TRUE(this->Settle([this] { return !this->b().closed.empty(); }));
  this->fabric_.Look([this] {
    EXPECT_TRUE(this->a().frames.empty());
    EXPECT_TRUE(this->a().closed.empty());
    return 0;
  });
}

}  // namespace
}  // namespace braid::cluster
