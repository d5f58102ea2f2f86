// The endpoints of one client with what is known of them: picks, probes, counts. Layer: client.
// Thread-safe.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "braid/client/call_plan.h"
#include "braid/client/endpoint.h"
#include "braid/client/timer.h"

namespace braid::client {

class Pool {
 public:
  explicit Pool(const ClientOptions& options);
  // Close() first.
  ~Pool() = default;

  const ClientOptions& options() const { return options_; }
  Endpoint& endpoint(int index) { return *endpoints_[static_cast<size_t>(index)]; }
  const std::string& address(int index) const {
    return options_.endpoints[static_cast<size_t>(index)];
  }
  int size() const { return static_cast<int>(endpoints_.size()); }
  Timer& timer() { return timer_; }

  // Runs `step` on what all calls share, one at a time.
  template <typename Step>
  auto WithState(Step step) {
    const std::lock_guard lock(mutex_);
    return step(&state_);
  }
  // For plans, which use it inside WithState only.
  CallState* state() { return &state_; }
  std::vector<EndpointReport> Reports() const;
  ClientCounts Counts() const;
  // Probes the endpoint then, and again until it passes.
  void ProbeAt(TimePoint when, int endpoint);

  // Asks for the health of `endpoint`; `done` is called once, with OK for SERVING.
  void CheckHealth(int endpoint, Duration limit, std::function<void(Status)> done);

  // Every gRPC call in flight is registered, so that Close can cancel it and wait for its callback.
  // False once closing: then the call must not be started.
  bool Begin(grpc::ClientContext* context);
  // The last thing that a call's callback does. It takes the context, since that holds the channel:
  // the last owner of a channel must not be a callback, which runs on a thread that the channel's
  // end waits for.
  void End(std::unique_ptr<grpc::ClientContext> context);
  // As Begin and End for a run of the local model, which cannot be cancelled.
  bool BeginLocal();
  void EndLocal();
  // No call, task or callback is running or follows after this.
  void Close();

 private:
  void Probe(int endpoint);

  const ClientOptions options_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;

  mutable std::mutex mutex_;
  CallState state_;
  bool closing_ = false;
  std::set<grpc::ClientContext*> calls_;  // may be cancelled
  int active_ = 0;                        // begun, and not ended with everything they hold
  std::condition_variable idle_;

  Timer timer_;  // last: its tasks use all of the above
};

}  // namespace braid::client
