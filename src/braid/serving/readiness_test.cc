#include "braid/serving/readiness.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <vector>

namespace braid::serving {
namespace {

// Hands each self-test to the test's body, and lets it wait for changes.
class Bench {
 public:
  Readiness::SelfTest self_test() {
    return [this](std::function<void(Status)> done) {
      const std::lock_guard lock(mutex_);
      pending_.push_back(std::move(done));
      changed_.notify_all();
    };
  }
  Readiness::Changed on_change() {
    return [this](bool ready, const Status&) {
      const std::lock_guard lock(mutex_);
      changes_.push_back(ready);
      changed_.notify_all();
    };
  }
  // Waits for the test number `index` (from 0) and gives it its result.
  void Complete(size_t index, const Status& status) {
    std::function<void(Status)> done;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return pending_.size() > index; });
      done = pending_[index];
    }
    done(status);
  }
  std::vector<bool> WaitForChanges(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return changes_.size() >= count; });
    return changes_;
  }
  size_t tests() {
    const std::lock_guard lock(mutex_);
    return pending_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::function<void(Status)>> pending_;
  std::vector<bool> changes_;
};

ReadinessOptions Quick() {
  ReadinessOptions options;
  options.interval = options.retry_interval = std::chrono::milliseconds(1);
  return options;
}

TEST(ReadinessTest, IsNotReadyUntilATestPasses) {
  Bench bench;
  Readiness readiness(bench.self_test(), bench.on_change(), Quick());
  EXPECT_FALSE(readiness.ready());
  bench.Complete(0, Internal("no"));
  EXPECT_FALSE(readiness.ready());
  bench.Complete(1, OkStatus());
  EXPECT_EQ(bench.WaitForChanges(1), std::vector{true});
  EXPECT_TRUE(readiness.ready());
}

TEST(ReadinessTest, FollowsTheTests) {
  Bench bench;
  Readiness readiness(bench.self_test(), bench.on_change(), Quick());
  bench.Complete(0, OkStatus());
  bench.Complete(1, OkStatus());
  bench.Complete(2, Unavailable("lost"));
  bench.Complete(3, OkStatus());
  EXPECT_EQ(bench.WaitForChanges(3), (std::vector{true, false, true}));
}

TEST(ReadinessTest, ATestThatHangsMeansNotReadyAndIsNotRepeatedMeanwhile) {
  Bench bench;
  ReadinessOptions options = Quick();
  options.limit = std::chrono::milliseconds(5);
  Readiness readiness(bench.self_test(), bench.on_change(), options);
  bench.Complete(0, OkStatus());
  EXPECT_EQ(bench.WaitForChanges(2), (std::vector{true, false}));  // the second one hangs
  EXPECT_EQ(bench.tests(), 2u);
  bench.Complete(1, OkStatus());
  EXPECT_TRUE(bench.WaitForChanges(3)[2]);
}

TEST(ReadinessTest, DrainingWinsOverEveryTest) {
  Bench bench;
  Readiness readiness(bench.self_test(), bench.on_change(), Quick());
  bench.Complete(0, OkStatus());
  bench.WaitForChanges(1);
  readiness.Drain();
  EXPECT_EQ(bench.WaitForChanges(2), (std::vector{true, false}));
  bench.Complete(1, OkStatus());
  bench.Complete(2, OkStatus());
  EXPECT_FALSE(readiness.ready());
}

TEST(ReadinessTest, MayEndWhileATestRuns) {
  Bench bench;
  {
    Readiness readiness(bench.self_test(), bench.on_change(), Quick());
    bench.Complete(0, OkStatus());
    bench.WaitForChanges(1);
    while (bench.tests() < 2) std::this_thread::yield();
  }
  bench.Complete(1, OkStatus());  // late: nobody is there, nothing happens
}

}  // namespace
}  // namespace braid::serving
