#include "braid/cluster/link/tcp_loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "braid/base/check.h"

namespace braid::cluster {

namespace asio = boost::asio;

namespace {

// Of tasks that a turn runs after its own: what one request brings about by itself is four deep.
constexpr int kMostRounds = 8;

}  // namespace

TcpLoop::TcpLoop() {
  thread_ = std::thread([this] {
    const auto work = asio::make_work_guard(io_);  // runs until Stop even while nothing is open
    io_.run();
  });
}

TcpLoop::~TcpLoop() {
  Stop([] {});
}

void TcpLoop::Stop(std::function<void()> last) {
  if (!thread_.joinable()) return;
  BRAID_CHECK(!OnLoop()) << "a loop cannot be ended by a task of its own";
  stopping_ = true;
  asio::post(io_, [this, last = std::move(last)] {
    {
      const Turn turn(this);
      last();
    }
    io_.stop();
  });
  thread_.join();
  inbox_.clear();
  batch_.clear();
  timers_.clear();
}

void TcpLoop::Post(std::function<void()> task) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = inbox_.empty();
    inbox_.push_back(std::move(task));
  }
  // Later tasks ride along with the first: one wake-up for a burst. A turn runs its own at its end.
  if (first && !OnLoop()) Wake();
}

void TcpLoop::PostOrRun(std::function<void()> task) {
  if (OnLoop() || !turn_.try_lock()) return Post(std::move(task));
  {
    const std::lock_guard lock(mutex_);
    inbox_.push_back(std::move(task));  // after what this thread may have posted before
  }
  BeginTurn();
  EndTurn();
  turn_.unlock();
}

void TcpLoop::Wake() {
  asio::post(io_, [this] { const Turn turn(this); });  // whose end runs what was posted
}

void TcpLoop::BeginTurn() { owner_ = std::this_thread::get_id(); }

void TcpLoop::EndTurn() {
  bool more = true;
  for (int round = 0; more && round < kMostRounds; ++round) {
    WriteAll();  // first: peers shall compute while tasks do
    more = RunPosted();
  }
  WriteAll();
  owner_ = std::thread::id();
  if (more) Wake();  // sockets and timers shall not wait for tasks that post tasks without end
}

bool TcpLoop::RunPosted() {
  {
    const std::lock_guard lock(mutex_);
    batch_.swap(inbox_);
  }
  if (batch_.empty()) return false;
  for (std::function<void()>& task : batch_) {
    if (stopping_) break;
    task();
    task = nullptr;  // what it captured goes now, in order
  }
  batch_.clear();
  return true;
}

void TcpLoop::WriteAtEndOfTurn(std::shared_ptr<Writer> writer) {
  writers_.push_back(std::move(writer));
}

void TcpLoop::WriteAll() {
  // A failing write may queue another writer (and posts its report, so no handler runs here).
  while (!writers_.empty()) {
    const std::vector<std::shared_ptr<Writer>> writers = std::exchange(writers_, {});
    for (const std::shared_ptr<Writer>& writer : writers) writer->WriteQueued();
  }
}

void TcpLoop::PostAfter(Duration delay, std::function<void()> task) {
  const TimePoint at = SystemClock().Now() + delay;
  if (OnLoop()) {
    AddTimer(at, std::move(task));
  } else {
    Post([this, at, task = std::move(task)]() mutable { AddTimer(at, std::move(task)); });
  }
}

void TcpLoop::AddTimer(TimePoint at, std::function<void()> task) {
  timers_.emplace(Due{at, timers_added_++}, std::move(task));
  ArmTimer();
}

void TcpLoop::ArmTimer() {
  const TimePoint first = timers_.empty() ? TimePoint::max() : timers_.begin()->first.first;
  if (first >= armed_for_) return;  // a wait that ends early enough is under way
  armed_for_ = first;
  timer_.expires_at(first);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;  // armed anew for an earlier time
    RunTimers();
  });
}

void TcpLoop::RunTimers() {
  const Turn turn(this);
  armed_for_ = TimePoint::max();
  const TimePoint now = SystemClock().Now();
  while (!timers_.empty() && timers_.begin()->first.first <= now && !stopping_) {
    const std::function<void()> task = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    task();
  }
  ArmTimer();
}

}  // namespace braid::cluster
