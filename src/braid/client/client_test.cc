#include "braid/client/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <set>

#include "braid/client/client_testing.h"

namespace braid::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ClientTest, ReturnsTypedResults) {
  FakeServer server;
  const auto client = Connected(Options({server.address()}));
  InferRequest request = Request();
  request.operating_point = "g0+1";
  request.max_macs = 5;
  request.min_accuracy = 0.5;
  request.strict = true;
  const auto reply = client->Infer(request);
  ASSERT_TRUE(reply.ok()) << reply.status().ToString();
  EXPECT_THAT(reply->classes, ElementsAre(7));
  EXPECT_THAT(reply->logits, ElementsAre(7, server.port()));
  EXPECT_EQ(reply->operating_point, "g0+1");
  EXPECT_THAT(reply->devices, ElementsAre("a", "b"));
  EXPECT_EQ(reply->macs, 99);
  EXPECT_EQ(reply->failovers, 1);
  EXPECT_EQ(reply->attempts, 1);
  EXPECT_EQ(reply->endpoint, server.address());
  const auto parameters = server.last().parameters();
  EXPECT_EQ(parameters.at("braid_operating_point").string_param(), "g0+1");
  EXPECT_EQ(parameters.at("braid_max_macs").int64_param(), 5);
  EXPECT_EQ(parameters.at("braid_min_accuracy").double_param(), 0.5);
  EXPECT_TRUE(parameters.at("braid_strict").bool_param());
}

TEST(ClientTest, ReadsTheModelsShape) {
  FakeServer server;
  FakeServer frozen(Behaviour::kFreeze);
  const auto client = Connected(Hedging({frozen.address(), server.address()}));
  const auto info = client->Model(seconds(30));
  ASSERT_TRUE(info.ok()) << info.status().ToString();
  EXPECT_EQ(info->name, "fake");
  EXPECT_EQ(info->height, 1);
  EXPECT_EQ(info->width, 2);
  EXPECT_EQ(info->classes, 2);
}

TEST(ClientTest, UsesAllEndpoints) {
  FakeServer a, b;
  const auto client = Connected(Options({a.address(), b.address()}));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(client->Infer(Request()).ok());
  EXPECT_EQ(a.inferences(), 5);
  EXPECT_EQ(b.inferences(), 5);
}

TEST(ClientTest, AKilledEndpointCostsNoRequest) {
  auto a = std::make_unique<FakeServer>();
  FakeServer b;
  const auto client = Connected(Options({a->address(), b.address()}));
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(client->Infer(Request()).ok());
  std::atomic<int> failed = 0;
  std::atomic<bool> stop = false;
  std::atomic<int> answered = 0;
  std::vector<std::thread> load;
  for (int t = 0; t < 3; ++t) {
    load.emplace_back([&] {
      while (!stop) {
        const auto reply = client->Infer(Request());
        if (!reply.ok() || reply->classes.at(0) != 7) ++failed;
        ++answered;
      }
    });
  }
  while (answered < 20) std::this_thread::yield();
  a.reset();
  const int at_kill = answered;
  while (answered < at_kill + 50) std::this_thread::yield();
  stop = true;
  for (std::thread& thread : load) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_FALSE(client->Endpoints()[0].up);
}

TEST(ClientTest, ARestartedEndpointIsUsedAgain) {
  auto a = std::make_unique<FakeServer>();
  const int port = a->port();
  FakeServer b;
  const auto client = Connected(Options({a->address(), b.address()}));
  ASSERT_TRUE(client->Infer(Request()).ok());
  a.reset();
  while (client->Endpoints()[0].up) ASSERT_TRUE(client->Infer(Request()).ok());
  a = std::make_unique<FakeServer>(Behaviour::kAnswer, port);
  ASSERT_TRUE(a->started());
  while (a->inferences() == 0) ASSERT_TRUE(client->Infer(Request()).ok());
  EXPECT_TRUE(client->Endpoints()[0].up);
}

TEST(ClientTest, AFrozenEndpointCostsOneHedgeAndIsThenAvoided) {
  FakeServer frozen(Behaviour::kFreeze), good;
  const auto client = Connected(Hedging({frozen.address(), good.address()}));
  int attempts = 0;
  for (int i = 0; i < 20; ++i) {
    const auto reply = client->Infer(Request());
    ASSERT_TRUE(reply.ok()) << reply.status().ToString();
    EXPECT_EQ(reply->endpoint, good.address());
    attempts += reply->attempts;
  }
  EXPECT_GE(attempts, 21);
  EXPECT_FALSE(client->Endpoints()[0].up);
  EXPECT_LT(frozen.inferences(), 20);
}

TEST(ClientTest, AThawedEndpointIsUsedAgain) {
  FakeServer a(Behaviour::kFreeze), b;
  const auto client = Connected(Hedging({a.address(), b.address()}));
  ASSERT_TRUE(client->Infer(Request()).ok());
  ASSERT_TRUE(client->Infer(Request()).ok());
  EXPECT_FALSE(client->Endpoints()[0].up);
  a.Set(Behaviour::kAnswer);
  const int before = a.inferences();
  while (a.inferences() == before) ASSERT_TRUE(client->Infer(Request()).ok());
}

TEST(ClientTest, ASlowAnswerStillWinsWhenNobodyElseAnswers) {
  FakeServer slow(Behaviour::kSlow), frozen(Behaviour::kFreeze);
  slow.slowness = milliseconds(200);
  const auto client = Connected(Hedging({slow.address(), frozen.address()}));
  const auto reply = client->Infer(Request());
  ASSERT_TRUE(reply.ok()) << reply.status().ToString();
  EXPECT_EQ(reply->endpoint, slow.address());
  EXPECT_EQ(reply->attempts, 2);
  EXPECT_EQ(slow.inferences(), 1);  // waited for, not asked again
}

TEST(ClientTest, ASingleSlowEndpointIsNotHedged) {
  FakeServer slow(Behaviour::kSlow);
  slow.slowness = milliseconds(120);
  const auto client = Connected(Hedging({slow.address()}));
  const auto reply = client->Infer(Request());
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->attempts, 1);
  EXPECT_TRUE(client->Endpoints()[0].up);
}

TEST(ClientTest, WaitsForAnEndpointThatComesWithinTheDeadline) {
  int port = 0;
  {
    const FakeServer reserve;
    port = reserve.port();
  }
  const auto client = Connected(Options({"127.0.0.1:" + std::to_string(port)}));
  auto reply = std::async(std::launch::async, [&] { return client->Infer(Request()); });
  while (client->Endpoints()[0].failed < 2) std::this_thread::yield();
  FakeServer late(Behaviour::kAnswer, port);
  ASSERT_TRUE(late.started());
  const auto answer = reply.get();
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_GE(answer->attempts, 3);
}

TEST(ClientTest, ReportsUnavailableWhenEveryEndpointRefusesUntilTheDeadline) {
  FakeServer a(Behaviour::kRefuse), b(Behaviour::kRefuse);
  const auto client = Connected(Options({a.address(), b.address()}));
  InferRequest request = Request();
  request.deadline = milliseconds(60);
  const auto reply = client->Infer(request);
  EXPECT_EQ(reply.status().code(), StatusCode::kUnavailable) << reply.status().ToString();
  EXPECT_THAT(reply.status().message(), HasSubstr("not now"));
  EXPECT_GE(a.inferences(), 1);
  EXPECT_GE(b.inferences(), 1);
}

TEST(ClientTest, ReportsTheDeadlineWhenAllAreFrozen) {
  FakeServer a(Behaviour::kFreeze), b(Behaviour::kFreeze);
  const auto client = Connected(Hedging({a.address(), b.address()}));
  InferRequest request = Request();
  request.deadline = milliseconds(100);
  EXPECT_EQ(client->Infer(request).status().code(), StatusCode::kDeadlineExceeded);
}

TEST(ClientTest, AnOverloadedEndpointSendsTheRequestElsewhere) {
  FakeServer a(Behaviour::kOverloaded), b;
  const auto client = Connected(Options({a.address(), b.address()}));
  const auto reply = client->Infer(Request());
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->endpoint, b.address());
  EXPECT_TRUE(client->Endpoints()[0].up);
  b.Set(Behaviour::kOverloaded);
  EXPECT_EQ(client->Infer(Request()).status().code(), StatusCode::kResourceExhausted);
}

TEST(ClientTest, TheDevicesVerdictIsNotRetried) {
  FakeServer a(Behaviour::kInvalid), b(Behaviour::kInvalid);
  const auto client = Connected(Options({a.address(), b.address()}));
  const auto reply = client->Infer(Request());
  EXPECT_EQ(reply.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(reply.status().message(), HasSubstr("parameter \"x\": bad"));
  EXPECT_EQ(a.inferences() + b.inferences(), 1);
  EXPECT_TRUE(client->Endpoints()[0].up);
}

TEST(ClientTest, ARepliesNonsenseIsAnError) {
  FakeServer server(Behaviour::kGarbage);
  const auto client = Connected(Options({server.address()}));
  const auto reply = client->Infer(Request());
  EXPECT_EQ(reply.status().code(), StatusCode::kInternal);
  EXPECT_THAT(reply.status().message(), HasSubstr("malformed reply"));
}

TEST(ClientTest, RefusesARequestWhosePixelsDoNotFitItsShape) {
  FakeServer server;
  const auto client = Connected(Options({server.address()}));
  InferRequest request = Request();
  request.width = 3;
  EXPECT_EQ(client->Infer(request).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(server.inferences(), 0);
}

TEST(ClientTest, ASlowADeadAFrozenAndAnOverloadedEndpointCostNoRequest) {
  FakeServer good, slow(Behaviour::kSlow), frozen(Behaviour::kFreeze),
      overloaded(Behaviour::kOverloaded);
  slow.slowness = milliseconds(30);
  ClientOptions options = Hedging(
      {slow.address(), "127.0.0.1:1", frozen.address(), overloaded.address(), good.address()});
  options.hedge = true;
  const auto client = Connected(options);
  std::atomic<int> failed = 0, wrong = 0;
  std::vector<std::thread> load;
  for (int t = 0; t < 4; ++t) {
    load.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const auto reply = client->Infer(Request(static_cast<uint8_t>(50 * t + i)));
        if (!reply.ok()) {
          ++failed;
          ADD_FAILURE() << reply.status().ToString();
        } else if (reply->classes.at(0) != 50 * t + i) {
          ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : load) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(wrong, 0);
  const ClientCounts counts = client->Counts();
  EXPECT_EQ(counts.requests, 200);
  EXPECT_EQ(counts.attempts, counts.requests + counts.retries + counts.hedges);
}

TEST(ClientTest, ALateRequestIsHedgedAndTheLateEndpointStaysUp) {
  FakeServer a, b;
  ClientOptions options = Options({a.address(), b.address()});
  options.hedge = true;
  const auto client = Connected(options);
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(client->Infer(Request()).ok());
  a.Set(Behaviour::kFreeze);  // without a health check nobody knows
  int from_b = 0;
  for (int i = 0; i < 6; ++i) {  // fewer than there are tokens for
    const auto reply = client->Infer(Request());
    ASSERT_TRUE(reply.ok()) << reply.status().ToString();
    from_b += reply->endpoint == b.address() ? 1 : 0;
  }
  EXPECT_EQ(from_b, 6);
  EXPECT_GE(client->Counts().hedges, 1);
  EXPECT_EQ(client->Counts().retries, 0);
  EXPECT_TRUE(client->Endpoints()[0].up);
}

TEST(ClientTest, EachAttemptIsToldTheTimeThatIsLeft) {
  FakeServer frozen(Behaviour::kFreeze), good;
  ClientOptions options = Options({frozen.address(), good.address()});
  options.attempt_timeout = milliseconds(200);
  const auto client = Connected(options);
  InferRequest request = Request();
  request.deadline = seconds(9);
  ASSERT_TRUE(client->Infer(request).ok());
  constexpr auto kRounding = milliseconds(10);  // of gRPC's header, for 1 to 10 s
  EXPECT_GT(frozen.remaining(), seconds(5));
  EXPECT_LE(frozen.remaining(), *request.deadline + kRounding);
  EXPECT_LE(good.remaining(), *request.deadline - options.attempt_timeout + kRounding);
}

TEST(ClientTest, ARefusedRequestIsRepeatedWhenTheServerSaysWhen) {
  FakeServer server(Behaviour::kOverloaded);
  server.pushback = "60";
  const auto client = Connected(Options({server.address()}));
  auto reply = std::async(std::launch::async, [&] { return client->Infer(Request()); });
  while (server.inferences() == 0) std::this_thread::yield();
  server.Set(Behaviour::kAnswer);
  const auto answer = reply.get();
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->attempts, 2);
  EXPECT_GE(answer->elapsed, milliseconds(60));
}

TEST(ClientTest, AWishThatIsNoNumberIsPassedOver) {
  for (const std::string nonsense : {"-1", "12x", "99999999999999999999", " "}) {
    FakeServer server(Behaviour::kOverloaded);
    server.pushback = nonsense;
    const auto client = Connected(Options({server.address()}));
    EXPECT_EQ(client->Infer(Request()).status().code(), StatusCode::kResourceExhausted);
    EXPECT_EQ(server.inferences(), 1) << nonsense;
  }
}

TEST(ClientTest, KeepsFewerCallsOpenThanAConnectionHasStreamsAndRefusesTheRestAtOnce) {
  FakeServer frozen(Behaviour::kFreeze);
  auto client = Connected(Options({frozen.address()}));
  std::atomic<int> refused = 0, others = 0;
  for (int i = 0; i < 1000; ++i) {
    client->InferAsync(Request(), [&](const Result<InferReply>& reply) {
      ++(reply.status().code() == StatusCode::kResourceExhausted ? refused : others);
    });
  }
  EXPECT_EQ(refused, 800);  // before InferAsync returned, so nothing waits anywhere
  EXPECT_EQ(others, 0);
  EXPECT_EQ(client->Counts().shed, 800);
  const auto reply = client->Infer(Request());
  EXPECT_THAT(reply.status().message(), HasSubstr("200 requests are open at each endpoint"));
  while (frozen.inferences() < 200) std::this_thread::yield();
  frozen.Set(Behaviour::kAnswer);                       // but not the calls that it holds
  EXPECT_TRUE(client->WaitReady(1, seconds(30)).ok());  // there are streams left for health
  client.reset();
  EXPECT_EQ(frozen.most_at_a_time(), 200);
  EXPECT_EQ(others, 200);
}

TEST(ClientTest, ManyRequestsInFlightAllComeBackOnce) {
  FakeServer a, b;
  const auto client = Connected(Options({a.address(), b.address()}));
  constexpr int kRequests = 300;
  std::mutex mutex;
  std::condition_variable changed;
  std::multiset<int64_t> seen;
  int answered = 0;
  for (int i = 0; i < kRequests; ++i) {
    client->InferAsync(Request(static_cast<uint8_t>(i % 200)), [&](Result<InferReply> reply) {
      const std::lock_guard lock(mutex);
      ++answered;
      if (reply.ok()) seen.insert(reply->classes.at(0));
      changed.notify_one();
    });
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return answered == kRequests; });
  EXPECT_EQ(seen.size(), static_cast<size_t>(kRequests));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(seen.count(i), 2u) << i;
}

TEST(ClientTest, ClosingCancelsWhatIsInFlight) {
  FakeServer frozen(Behaviour::kFreeze);
  auto client = Connected(Options({frozen.address(), "127.0.0.1:1"}));
  std::atomic<int> cancelled = 0;
  for (int i = 0; i < 5; ++i) {
    client->InferAsync(Request(), [&](const Result<InferReply>& reply) {
      if (reply.status().code() == StatusCode::kCancelled) ++cancelled;
    });
  }
  client.reset();
  EXPECT_EQ(cancelled, 5);
}

TEST(ClientTest, WaitReadyCountsServingEndpoints) {
  FakeServer a, b(Behaviour::kRefuse);
  const auto client = Connected(Options({a.address(), b.address()}));
  EXPECT_TRUE(client->WaitReady(1, seconds(30)).ok());
  EXPECT_EQ(client->WaitReady(2, milliseconds(30)).code(), StatusCode::kDeadlineExceeded);
  b.Set(Behaviour::kAnswer);
  EXPECT_TRUE(client->WaitReady(2, seconds(30)).ok());
}

TEST(ClientTest, RefusesImpossibleOptions) {
  EXPECT_EQ(Client::Create({}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Client::Create(Options({"nowhere"})).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Client::Create(Options({":1"})).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace braid::client
