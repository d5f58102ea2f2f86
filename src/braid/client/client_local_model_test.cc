// The last resort of a client: a model of its own.
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

// Answers after `wait` on a thread of its own, or fails.
class FakeModel final : public LocalModel {
 public:
  explicit FakeModel(Status status = {}, milliseconds wait = {}) : status_(status), wait_(wait) {}
  ~FakeModel() override {
    for (std::thread& thread : threads_) thread.join();
  }
  void Run(InferRequest request, std::function<void(Result<InferReply>)> done) override {
    const std::lock_guard lock(mutex_);
    remaining = *request.deadline;
    ++runs;
    threads_.emplace_back([this, request = std::move(request), done = std::move(done)] {
      std::this_thread::sleep_for(wait_);
      if (!status_.ok()) return done(status_);
      InferReply reply;
      reply.images = request.images;
      reply.classes = {request.pixels.at(0)};
      reply.logits = {1};
      reply.operating_point = "g0";
      done(std::move(reply));
    });
  }
  std::atomic<int> runs = 0;
  Duration remaining{};

 private:
  const Status status_;
  const milliseconds wait_;
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

TEST(ClientLocalModelTest, TheLocalModelAnswersWhenEveryEndpointIsDeadOrRefuses) {
  FakeServer overloaded(Behaviour::kOverloaded);
  ClientOptions options = Options({"127.0.0.1:1", overloaded.address()});
  const auto model = std::make_shared<FakeModel>();
  options.local = model;
  const auto client = Connected(options);
  for (int i = 0; i < 10; ++i) {
    const auto reply = client->Infer(Request(static_cast<uint8_t>(i)));
    ASSERT_TRUE(reply.ok()) << reply.status().ToString();
    EXPECT_TRUE(reply->answered_locally);
    EXPECT_EQ(reply->endpoint, "local");
    EXPECT_EQ(reply->operating_point, "g0");
    EXPECT_THAT(reply->classes, ElementsAre(i));
    EXPECT_LT(reply->elapsed, seconds(10));  // of 30: not at the deadline
  }
  EXPECT_EQ(model->runs, 10);
  overloaded.Set(Behaviour::kAnswer);
  const auto reply = client->Infer(Request());
  ASSERT_TRUE(reply.ok());
  EXPECT_FALSE(reply->answered_locally);
  EXPECT_EQ(model->runs, 10);
}

TEST(ClientLocalModelTest, TheLocalModelAnswersBeforeTheDeadlineOfAFrozenEndpoint) {
  FakeServer frozen(Behaviour::kFreeze);
  ClientOptions options = Options({frozen.address()});
  const auto model = std::make_shared<FakeModel>();
  options.local = model;
  options.local_reserve = seconds(2);  // the test's machine may stutter
  const auto client = Connected(options);
  InferRequest request = Request();
  request.deadline = milliseconds(4200);
  const auto reply = client->Infer(request);
  ASSERT_TRUE(reply.ok()) << reply.status().ToString();
  EXPECT_TRUE(reply->answered_locally);
  EXPECT_GE(reply->elapsed, milliseconds(2200));
  EXPECT_LE(model->remaining, seconds(2));
}

TEST(ClientLocalModelTest, ALocalFailureLeavesTheEndpointsError) {
  ClientOptions options = Options({"127.0.0.1:1"});
  const auto model = std::make_shared<FakeModel>(InvalidArgument("no such point"));
  options.local = model;
  const auto client = Connected(options);
  InferRequest request = Request();
  request.deadline = milliseconds(300);
  EXPECT_EQ(client->Infer(request).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(model->runs, 1);
}

TEST(ClientLocalModelTest, ClosingWaitsForTheLocalModel) {
  ClientOptions options = Options({"127.0.0.1:1"});
  const auto model = std::make_shared<FakeModel>(OkStatus(), milliseconds(50));
  options.local = model;
  auto client = Connected(options);
  std::atomic<int> answered = 0;
  client->InferAsync(Request(), [&](const Result<InferReply>&) { ++answered; });
  while (model->runs == 0) std::this_thread::yield();
  client.reset();  // its callback must not find the client gone
  EXPECT_EQ(answered, 1);
}

}  // namespace
}  // namespace braid::client
