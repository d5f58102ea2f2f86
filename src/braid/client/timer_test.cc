#include "braid/client/timer.h"

#include <gtest/gtest.h>

#include <future>
#include <vector>

namespace braid::client {
namespace {

TimePoint In(int ms) { return std::chrono::steady_clock::now() + std::chrono::milliseconds(ms); }

TEST(TimerTest, RunsATaskAddedWhileIdle) {
  Timer timer;
  for (int i = 0; i < 20; ++i) {
    std::promise<void> ran;
    timer.At(In(i % 2), [&] { ran.set_value(); });
    ran.get_future().get();
  }
}

TEST(TimerTest, RunsTasksInOrderOfTimeNotOfArrival) {
  Timer timer;
  std::vector<int> order;
  std::promise<void> last;
  const TimePoint base = In(20);
  timer.At(base + std::chrono::milliseconds(2), [&] {
    order.push_back(2);
    last.set_value();
  });
  timer.At(base, [&] { order.push_back(0); });
  timer.At(base + std::chrono::milliseconds(1), [&] { order.push_back(1); });
  last.get_future().get();
  EXPECT_EQ(order, (std::vector{0, 1, 2}));
}

TEST(TimerTest, ATaskMayAddATask) {
  Timer timer;
  std::promise<void> ran;
  timer.At(In(0), [&] { timer.At(In(0), [&] { ran.set_value(); }); });
  ran.get_future().get();
}

TEST(TimerTest, StopDropsWhatWaits) {
  bool ran = false;
  {
    Timer timer;
    timer.At(In(60000), [&] { ran = true; });
    timer.Stop();
    timer.At(In(0), [&] { ran = true; });
  }
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace braid::client
