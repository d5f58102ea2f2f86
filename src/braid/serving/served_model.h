// One version of one model as the doors see it: a device, the queue before it, its statistics and
// whether it is fit. Layer: serving.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "braid/cluster/device.h"
#include "braid/serving/dispatcher.h"
#include "braid/serving/event_loop.h"
#include "braid/serving/readiness.h"
#include "braid/serving/statistics.h"

namespace braid::serving {

struct ServedModelOptions {
  std::string name;     // empty: the network's
  std::string version;  // a positive number
  DispatchOptions dispatch;
  ReadinessOptions readiness;
};

class ServedModel : public std::enable_shared_from_this<ServedModel> {
 public:
  // `device` must have been started; `owner`, which may be empty, is kept as long as this and goes
  // after it (the device and what it stands on). `loop` must outlive this.
  ServedModel(cluster::Device* device, EventLoop* loop, ServedModelOptions options,
              std::shared_ptr<void> owner = nullptr);
  // What waits is refused.
  ~ServedModel();

  const std::string& name() const { return options_.name; }
  const std::string& version() const { return options_.version; }
  const model::Network& network() const { return device_->model().network; }
  const ServedModelOptions& options() const { return options_; }
  cluster::Device& device() const { return *device_; }
  int max_batch() const { return device_->options().max_batch; }
  Dispatcher& dispatcher() const { return *dispatcher_; }
  Statistics& statistics() const { return *statistics_; }

  // Usable peers, as counted last.
  int peers() const { return peers_; }
  // Times that a peer held on to its part of requests and delivered nothing.
  int64_t peer_stalls() const { return peer_stalls_; }

  // Begins to test; `changed` is called on a thread of its own at each change. Once, and not in the
  // constructor's scope: this must be held by a shared_ptr.
  void StartTesting(std::function<void()> changed);
  bool ready() const;
  // OK while ready; else why not.
  Status reason() const;
  // Not ready from now on. Requests are answered until Stop.
  void Drain();
  // Ends the self-tests and leaves the loop; not from their thread, nor from the loop.
  void StopTesting();
  // Refuses what waits and what comes.
  void Stop();

 private:
  // Asks the device for its peers again and again, and lets the dispatcher's window follow.
  void FollowTheGroup();
  void PeersCounted(int usable, int64_t stalls);

  const ServedModelOptions options_;
  const std::shared_ptr<void> owner_;
  cluster::Device* const device_;
  EventLoop* const loop_;
  const std::shared_ptr<Statistics> statistics_ = std::make_shared<Statistics>();
  const std::shared_ptr<Dispatcher> dispatcher_;
  std::atomic<bool> testing_ = false;
  std::atomic<int> peers_ = 0;
  std::atomic<int64_t> peer_stalls_ = 0;
  mutable std::mutex mutex_;  // guards reason_
  Status reason_ = Unavailable("no self-test has passed yet");
  std::unique_ptr<Readiness> readiness_;  // last: its thread uses the above
};

}  // namespace braid::serving
