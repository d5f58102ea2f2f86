// Turns: one at a time, by the loop's thread or by whoever brings a task.
#include "braid/cluster/link/tcp_loop.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>
#include <vector>

namespace braid::cluster {
namespace {

TEST(TcpLoopTest, ATaskBroughtToAnIdleLoopRunsAtOnce) {
  TcpLoop loop;
  std::thread::id ran_by;
  bool on_loop = false;
  loop.PostOrRun([&] {
    ran_by = std::this_thread::get_id();
    on_loop = loop.OnLoop();
  });
  EXPECT_EQ(ran_by, std::this_thread::get_id());
  EXPECT_TRUE(on_loop);
  EXPECT_FALSE(loop.OnLoop());
}

TEST(TcpLoopTest, WhatATaskPostsRunsInTheSameTurn) {
  TcpLoop loop;
  std::vector<int> order;
  loop.PostOrRun([&] {
    loop.Post([&] {
      order.push_back(2);
      loop.Post([&] { order.push_back(3); });
    });
    loop.PostOrRun([&] { order.push_back(4); });  // in a turn: only posted
    order.push_back(1);
  });
  EXPECT_EQ(order, (std::vector<int>{1, 2, 4, 3}));
}

TEST(TcpLoopTest, ABusyLoopTakesTheTaskAfterItsTurn) {
  TcpLoop loop;
  std::promise<void> entered, leave;
  loop.Post([&] {
    entered.set_value();
    leave.get_future().wait();
  });
  entered.get_future().wait();
  std::promise<std::thread::id> ran;
  loop.PostOrRun([&] { ran.set_value(std::this_thread::get_id()); });
  auto by = ran.get_future();
  EXPECT_EQ(by.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  leave.set_value();
  EXPECT_NE(by.get(), std::this_thread::get_id());
}

TEST(TcpLoopTest, TasksThatPostTasksWithoutEndLetTimersThrough) {
  std::atomic<bool> over = false;
  std::function<void()> again;
  TcpLoop loop;  // goes first, and with it what is still posted
  again = [&] {
    if (!over) loop.Post(again);
  };
  std::promise<void> timer;
  loop.PostAfter(std::chrono::milliseconds(1), [&] { timer.set_value(); });
  loop.PostOrRun(again);
  timer.get_future().wait();
  over = true;
}

TEST(TcpLoopTest, TasksOfManyThreadsRunOneAtATimeAndEachThreadsInOrder) {
  constexpr int kThreads = 4, kTasks = 2000;
  TcpLoop loop;
  std::vector<int> next(kThreads, 0);  // unguarded: the turns guard it
  int inside = 0, wrong = 0, done = 0;
  std::promise<void> all;
  const auto task = [&](int thread, int number) {
    if (++inside != 1 || next[static_cast<size_t>(thread)]++ != number) ++wrong;
    --inside;
    if (++done == kThreads * kTasks) all.set_value();
  };
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int number = 0; number < kTasks; ++number) {
          if (number % 3 == 0) {
            loop.Post([&, thread, number] { task(thread, number); });
          } else {
            loop.PostOrRun([&, thread, number] { task(thread, number); });
          }
        }
      });
    }
  }
  all.get_future().wait();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace braid::cluster
