// Sockets, timers and tasks, in turns: one at a time, whichever thread takes it. Mostly that is the
// loop's own; a thread that brings a task may take a turn for it. What a turn queued for the network
// is written when it ends, so that everything it sent leaves in one write a connection, and tasks
// that it posted run in it still.
// Layer: cluster/link, private to it (Boost.Asio stays behind tcp_transport.h).
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "braid/base/clock.h"

namespace braid::cluster {

class TcpLoop {
 public:
  // Something with bytes to write at the end of a turn.
  class Writer {
   public:
    virtual ~Writer() = default;
    virtual void WriteQueued() = 0;
  };

  TcpLoop();
  ~TcpLoop();  // Stop() with nothing to do
  TcpLoop(const TcpLoop&) = delete;
  TcpLoop& operator=(const TcpLoop&) = delete;

  boost::asio::io_context& io() { return io_; }
  // Whether this thread is in a turn.
  bool OnLoop() const { return owner_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }

  // Any thread.
  void Post(std::function<void()> task);
  // As Post; where no turn is under way, this thread takes one and `task` has run on return. Waking
  // another thread costs more than a small network's answer.
  void PostOrRun(std::function<void()> task);
  void PostAfter(Duration delay, std::function<void()> task);

  // Runs `last` on the loop, ends the thread, then drops what was not run. Not on the loop.
  void Stop(std::function<void()> last);

  // On the loop: `writer` is called when the current turn ends.
  void WriteAtEndOfTurn(std::shared_ptr<Writer> writer);

  // Bytes through all of the loop's sockets. Counting is for the loop, reading for any thread.
  void CountSent(size_t bytes) { sent_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  void CountReceived(size_t bytes) { received_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  uint64_t sent_bytes() const { return sent_bytes_.load(std::memory_order_relaxed); }
  uint64_t received_bytes() const { return received_bytes_.load(std::memory_order_relaxed); }

  // Stands around every entry into our code from the event loop.
  class Turn {
   public:
    explicit Turn(TcpLoop* loop) : loop_(loop) {
      loop->turn_.lock();
      loop->BeginTurn();
    }
    ~Turn() {
      loop_->EndTurn();
      loop_->turn_.unlock();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    TcpLoop* loop_;
  };

 private:
  std::atomic<uint64_t> sent_bytes_ = 0, received_bytes_ = 0;

  using Due = std::pair<TimePoint, uint64_t>;  // ties in the order of PostAfter

  void BeginTurn();
  void EndTurn();
  void WriteAll();
  void Wake();  // the loop's thread takes a turn
  bool RunPosted();  // false when nothing was there
  void AddTimer(TimePoint at, std::function<void()> task);
  void ArmTimer();
  void RunTimers();

  boost::asio::io_context io_{1};  // one thread runs it

  std::mutex mutex_;
  std::vector<std::function<void()>> inbox_;  // guarded by mutex_
  std::atomic<bool> stopping_{false};

  std::mutex turn_;  // held by the turn; taken before any other lock
  std::atomic<std::thread::id> owner_;

  // In a turn only.
  std::vector<std::function<void()>> batch_;
  std::vector<std::shared_ptr<Writer>> writers_;
  std::map<Due, std::function<void()>> timers_;
  uint64_t timers_added_ = 0;
  boost::asio::steady_timer timer_{io_};
  TimePoint armed_for_ = TimePoint::max();

  std::thread thread_;
};

}  // namespace braid::cluster
