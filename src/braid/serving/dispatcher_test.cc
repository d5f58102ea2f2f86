// The queue before a device: order, batches, bounds, deadlines.
#include "braid/serving/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <thread>

#include "braid/serving/serving_testing.h"

namespace braid::serving {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What became of a job.
struct Outcome {
  std::mutex mutex;
  std::optional<Result<Answer>> result;
  int calls = 0;
  bool done() {
    const std::lock_guard lock(mutex);
    return calls > 0;
  }
  Status status() {
    const std::lock_guard lock(mutex);
    return result ? result->status() : Internal("not done");
  }
  Answer answer() {
    const std::lock_guard lock(mutex);
    return **result;
  }
};

class DispatcherTest : public ::testing::Test {
 protected:
  DispatcherTest() {
    device_.SetHandler([this](const cluster::InferRequest& request, const auto& done) {
      const std::lock_guard lock(mutex_);
      executions_.push_back({request, done});
    });
  }
  void Make() {
    dispatcher_ = std::make_shared<Dispatcher>(&device_, &loop_, statistics_, options_);
  }
  // One image of six equal pixels.
  Job MakeJob(uint8_t pixel, int priority = kDefaultPriority) {
    Job job;
    job.pixels.assign(6, pixel);
    job.constraints.images = 1;
    job.arrived = std::chrono::steady_clock::now();
    job.deadline = job.arrived + hours(1);
    job.priority = priority;
    return job;
  }
  Dispatcher::Ticket Submit(Job job, Outcome* outcome) {
    job.done = [outcome](const Result<Answer>& answer) {
      const std::lock_guard lock(outcome->mutex);
      outcome->result = answer;
      ++outcome->calls;
    };
    return dispatcher_->Submit(std::move(job));
  }
  size_t executions() {
    const std::lock_guard lock(mutex_);
    return executions_.size();
  }
  // The oldest execution that is not answered; waits for one.
  std::pair<cluster::InferRequest, cluster::Device::Done> Take() {
    while (executions() == 0) std::this_thread::sleep_for(milliseconds(1));
    const std::lock_guard lock(mutex_);
    auto first = std::move(executions_.front());
    executions_.pop_front();
    return first;
  }
  std::vector<int> AnswerNext() {
    const auto [request, done] = Take();
    std::vector<int> pixels;
    for (size_t i = 0; i < request.pixels.size(); i += 6) pixels.push_back(request.pixels[i]);
    done(FakeDevice::Answer(request));
    return pixels;
  }

  EventLoop loop_;
  FakeDevice device_{4};
  std::shared_ptr<Statistics> statistics_ = std::make_shared<Statistics>();
  DispatchOptions options_;
  std::shared_ptr<Dispatcher> dispatcher_;
  std::mutex mutex_;
  std::deque<std::pair<cluster::InferRequest, cluster::Device::Done>> executions_;
};

TEST_F(DispatcherTest, BatchesWhatWaitsWhileTheDeviceIsBusy) {
  options_.longest_batch = hours(1);
  Make();
  Outcome outcomes[8];
  for (int i = 0; i < 8; ++i) Submit(MakeJob(static_cast<uint8_t>(i)), &outcomes[i]);
  EXPECT_EQ(executions(), 2u) << "the window";
  EXPECT_EQ(dispatcher_->queued_requests(), 6);
  EXPECT_THAT(AnswerNext(), ElementsAre(0));
  EXPECT_THAT(AnswerNext(), ElementsAre(1));
  EXPECT_THAT(AnswerNext(), ElementsAre(2, 3, 4, 5)) << "up to the device's largest batch";
  EXPECT_THAT(AnswerNext(), ElementsAre(6, 7));
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(outcomes[i].status().ok());
    const Answer answer = outcomes[i].answer();
    EXPECT_EQ(answer.images, 1);
    EXPECT_EQ(answer.result->classes.at(static_cast<size_t>(answer.first_image)), 6 * i % 3);
    EXPECT_EQ(answer.result->logits.at(static_cast<size_t>(answer.first_image * 3 + 6 * i % 3)),
              6 * i);
  }
  const StatisticsSnapshot statistics = statistics_->Snapshot();
  EXPECT_EQ(statistics.executions, 4u);
  EXPECT_EQ(statistics.images, 8u);
  EXPECT_EQ(statistics.batches.at(4).count, 1u);
}

TEST_F(DispatcherTest, RequestsThatAskForDifferentThingsRunApart) {
  options_.window = 1;
  options_.longest_batch = hours(1);
  Make();
  Outcome outcomes[4];
  Submit(MakeJob(0), &outcomes[0]);
  Submit(MakeJob(1), &outcomes[1]);
  Job other = MakeJob(2);
  other.constraints.point = 1;
  Submit(std::move(other), &outcomes[2]);
  Submit(MakeJob(3), &outcomes[3]);
  AnswerNext();
  EXPECT_THAT(AnswerNext(), ElementsAre(1));
  EXPECT_THAT(AnswerNext(), ElementsAre(2));
  EXPECT_THAT(AnswerNext(), ElementsAre(3));
}

TEST_F(DispatcherTest, HigherPrioritiesGoFirstAndPushOthersOut) {
  options_.window = 1;
  options_.max_queue_requests = 2;
  Make();
  Outcome running, low, middle, high, refused;
  Submit(MakeJob(0), &running);
  Submit(MakeJob(1, kLowestPriority), &low);
  Submit(MakeJob(2), &middle);
  Submit(MakeJob(3, kHighestPriority), &high);
  EXPECT_EQ(low.status().code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(low.status().message(), HasSubstr("higher priority"));
  Submit(MakeJob(4), &refused);
  EXPECT_EQ(refused.status().code(), StatusCode::kResourceExhausted);
  AnswerNext();
  EXPECT_THAT(AnswerNext(), ElementsAre(3));
  EXPECT_THAT(AnswerNext(), ElementsAre(2));
  EXPECT_EQ(statistics_->Snapshot().refused[static_cast<size_t>(Refusal::kRejected)], 2u);
}

TEST_F(DispatcherTest, BoundsTheBytesThatWait) {
  options_.window = 1;
  options_.max_queue_bytes = 12;
  Make();
  Outcome outcomes[4];
  for (uint8_t i = 0; i < 4; ++i) Submit(MakeJob(i), &outcomes[i]);
  EXPECT_FALSE(outcomes[2].done());
  EXPECT_EQ(outcomes[3].status().code(), StatusCode::kResourceExhausted);
}

TEST_F(DispatcherTest, RefusesAtOnceWhatCannotBeInTime) {
  options_.window = 1;
  Make();
  Outcome outcomes[4], hopeless, late;
  // The device shows that it needs 300 ms or more for an image.
  Submit(MakeJob(0), &outcomes[0]);
  std::this_thread::sleep_for(milliseconds(300));
  AnswerNext();
  for (int i = 1; i < 4; ++i) Submit(MakeJob(0), &outcomes[i]);
  Job job = MakeJob(0);
  job.deadline = job.arrived + milliseconds(900);  // three images of 300 ms are before it
  Submit(std::move(job), &hopeless);
  EXPECT_EQ(hopeless.status().code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(hopeless.status().message(), HasSubstr("overloaded: an answer would take about"));
  job = MakeJob(0);
  job.deadline = job.arrived - milliseconds(1);
  Submit(std::move(job), &late);
  EXPECT_EQ(late.status().code(), StatusCode::kDeadlineExceeded);
  EXPECT_GE(dispatcher_->ExpectedWait(), milliseconds(900));
}

TEST_F(DispatcherTest, AnIdleDeviceTakesAnyRequestWhateverTheEstimateSays) {
  options_.window = 1;
  Make();
  Outcome slow, probe;
  Submit(MakeJob(0), &slow);
  std::this_thread::sleep_for(milliseconds(60));
  AnswerNext();
  Job job = MakeJob(1);
  job.deadline = job.arrived + milliseconds(30);
  Submit(std::move(job), &probe);
  EXPECT_NE(probe.status().code(), StatusCode::kResourceExhausted);
}

TEST_F(DispatcherTest, WorkPastItsDeadlineIsDropped) {
  options_.window = 1;
  Make();
  Outcome running, waiting;
  Submit(MakeJob(0), &running);
  Job job = MakeJob(1);
  job.deadline = job.arrived + milliseconds(500);
  Submit(std::move(job), &waiting);
  while (!waiting.done()) std::this_thread::sleep_for(milliseconds(1));  // by the timer alone
  EXPECT_EQ(waiting.status().code(), StatusCode::kDeadlineExceeded);
  AnswerNext();
  EXPECT_EQ(executions(), 0u) << "the device never saw it";
  EXPECT_EQ(statistics_->Snapshot().budget_misses, 1u);
}

TEST_F(DispatcherTest, AnAnswerThatComesTooLateIsAMiss) {
  Make();
  Outcome outcome;
  Job job = MakeJob(0);
  job.deadline = job.arrived + milliseconds(20);
  Submit(std::move(job), &outcome);
  if (!outcome.done()) {
    std::this_thread::sleep_for(milliseconds(30));
    AnswerNext();
  }
  EXPECT_EQ(outcome.status().code(), StatusCode::kDeadlineExceeded);
}

TEST_F(DispatcherTest, AShortDeadlineInABatchCostsTheOthersNothing) {
  options_.window = 1;
  options_.longest_batch = hours(1);
  Make();
  Outcome first, short_one, long_one;
  Submit(MakeJob(0), &first);
  Job job = MakeJob(1);
  job.deadline = job.arrived + std::chrono::minutes(10);
  Submit(std::move(job), &short_one);
  Submit(MakeJob(2), &long_one);
  AnswerNext();
  const auto [request, done] = Take();
  EXPECT_EQ(request.constraints.images, 2);
  EXPECT_LE(*request.constraints.remaining, std::chrono::minutes(10)) << "the shorter one";
  done(DeadlineExceeded("no point is so fast"));
  // Both have time left, as the dispatcher sees it: each runs again, by itself.
  EXPECT_EQ(AnswerNext().size(), 1u);
  EXPECT_EQ(AnswerNext().size(), 1u);
  EXPECT_TRUE(short_one.status().ok());
  EXPECT_TRUE(long_one.status().ok());
}

TEST_F(DispatcherTest, CancelledWorkIsNotRunAndDoneOnce) {
  options_.window = 1;
  Make();
  Outcome running, waiting;
  const auto running_ticket = Submit(MakeJob(0), &running);
  const auto waiting_ticket = Submit(MakeJob(1), &waiting);
  dispatcher_->Cancel(waiting_ticket);
  dispatcher_->Cancel(waiting_ticket);
  EXPECT_EQ(waiting.status().code(), StatusCode::kCancelled);
  dispatcher_->Cancel(running_ticket);
  AnswerNext();
  EXPECT_EQ(running.status().code(), StatusCode::kCancelled);
  EXPECT_EQ(executions(), 0u);
  EXPECT_EQ(running.calls, 1);
  EXPECT_EQ(waiting.calls, 1);
  EXPECT_EQ(dispatcher_->open_images(), 0);
}

TEST_F(DispatcherTest, ALoneRequestWaitsForCompanyUpToTheBound) {
  options_.max_delay = milliseconds(20);
  options_.preferred_images = 3;
  options_.longest_batch = hours(1);
  Make();
  Outcome outcomes[4];
  for (int i = 0; i < 3; ++i) Submit(MakeJob(static_cast<uint8_t>(i)), &outcomes[i]);
  while (executions() == 0) std::this_thread::sleep_for(milliseconds(1));
  size_t images = 0;
  while (images < 3) images += AnswerNext().size();
  Submit(MakeJob(3), &outcomes[3]);
  while (executions() == 0) std::this_thread::sleep_for(milliseconds(1));  // by the timer
  EXPECT_THAT(AnswerNext(), ElementsAre(3));
}

TEST_F(DispatcherTest, StopRefusesWhatWaitsAndWhatComes) {
  options_.window = 1;
  Make();
  Outcome running, waiting, later;
  Submit(MakeJob(0), &running);
  Submit(MakeJob(1), &waiting);
  dispatcher_->Stop();
  EXPECT_EQ(waiting.status().code(), StatusCode::kUnavailable);
  Submit(MakeJob(2), &later);
  EXPECT_EQ(later.status().code(), StatusCode::kUnavailable);
  AnswerNext();
  EXPECT_TRUE(running.status().ok());
}

TEST_F(DispatcherTest, AWiderWindowLetsMoreThrough) {
  options_.window = 1;
  Make();
  Outcome outcomes[3];
  for (uint8_t i = 0; i < 3; ++i) Submit(MakeJob(i), &outcomes[i]);
  EXPECT_EQ(executions(), 1u);
  dispatcher_->SetWindow(3);
  EXPECT_EQ(executions(), 2u) << "the two that waited share one";
}

TEST(ServiceRateTest, LearnsTheTimeOfAnImageFromOverlappingExecutions) {
  ServiceRate rate;
  EXPECT_EQ(rate.Expect(100, 1), Duration{});
  TimePoint end = TimePoint{} + hours(1);
  for (int i = 0; i < 100; ++i) {  // each begins when the one before the last ends
    const TimePoint begun = end - milliseconds(8);
    end += milliseconds(8);
    rate.Add(begun, end, 8, 8);
  }
  EXPECT_NEAR(static_cast<double>(rate.per_image().count()), 1e6, 1e4);
  const double ten = static_cast<double>(rate.Expect(9, 1).count());
  EXPECT_GT(ten, 9e6);
  EXPECT_LT(ten, 15e6);
}

}  // namespace
}  // namespace braid::serving
