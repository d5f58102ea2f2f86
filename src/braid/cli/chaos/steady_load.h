// Requests at a fixed rate, whatever becomes of them: a service that stalls does not slow the ones
// who ask. Layer: cli.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "braid/base/clock.h"
#include "braid/cli/image_stream.h"
#include "braid/client/client.h"
#include "braid/data/dataset.h"

namespace braid::cli {

struct SteadyLoadOptions {
  double rate = 250;  // requests a second, at even distances
  int images = 1;     // of each
  Duration deadline = std::chrono::seconds(1);
};

class SteadyLoad {
 public:
  // `client` and `dataset` must outlive this; `take` gets every answer, on threads of the client's.
  SteadyLoad(client::Client* client, const data::Dataset* dataset, SteadyLoadOptions options,
             std::function<void(const StreamAnswer&)> take);
  // Stops. The client must be gone before if requests were lost: they would come back later.
  ~SteadyLoad();

  void Start();
  // Sends nothing more and waits for what is open, at most twice the deadline.
  void Stop();

  int64_t sent() const { return sent_; }
  // After Stop: requests for which the client has never said what became of them.
  int64_t lost() const { return open_; }
  // By how much the sender has been late at most: so long this machine had no processor for it.
  Duration longest_late() const { return longest_late_.load(); }

 private:
  void Send();
  void SendOne(int first_image);

  client::Client* const client_;
  const data::Dataset* const dataset_;
  const SteadyLoadOptions options_;
  const std::function<void(const StreamAnswer&)> take_;
  std::atomic<int64_t> sent_{0};
  std::atomic<int64_t> open_{0};
  std::atomic<Duration> longest_late_{Duration{}};
  std::mutex mutex_;
  std::condition_variable wake_;  // stop, or nothing open any more
  bool stopping_ = false;
  std::thread sender_;
};

}  // namespace braid::cli
