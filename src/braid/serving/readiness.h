// Whether a device is fit to serve: decided by inferences that take the real path, again and again.
// Layer: serving.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "braid/base/clock.h"
#include "braid/base/status.h"

namespace braid::serving {

struct ReadinessOptions {
  Duration interval = std::chrono::seconds(2);              // between tests while they pass
  Duration retry_interval = std::chrono::milliseconds(50);  // after a test that failed
  // A test that takes longer means that requests would, too. It shares the queue with requests, so
  // this is the longest queue that still counts as fit.
  Duration limit = std::chrono::seconds(5);
};

class Readiness {
 public:
  // Starts an inference; calls back once, on any thread.
  using SelfTest = std::function<void(std::function<void(Status)>)>;
  // Called on the readiness thread at each change, with the reason when it is not ready.
  using Changed = std::function<void(bool ready, const Status& reason)>;

  // Starts testing at once; not ready until the first test passes.
  Readiness(SelfTest self_test, Changed changed, const ReadinessOptions& options);
  // No Changed call is running or follows after this.
  ~Readiness();

  bool ready() const;
  // Not ready from now on, whatever tests say.
  void Drain();

 private:
  // Outlives this object when a test still runs at its end, hence shared with the test's callback.
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    bool stop = false;
    bool draining = false;
    bool ready = false;
    bool running = false;  // a test was started and has not called back
    Status result;
  };

  void Loop();
  void Publish(bool ready, const Status& reason);

  const SelfTest self_test_;
  const Changed changed_;
  const ReadinessOptions options_;
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::mutex publish_mutex_;  // keeps Changed calls in the order of the states they report
  std::thread thread_;
};

}  // namespace braid::serving
