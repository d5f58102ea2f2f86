// One inference from the caller's view: carries out what its plan says until there is an answer.
// Layer: client.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "braid/client/call_plan.h"
#include "braid/client/client.h"
#include "braid/client/pool.h"
#include "braid/protocol/open_inference.pb.h"

namespace braid::client {

// Shared by the client's list of open calls and its attempts' callbacks, which may outlast its
// answer; timers hold it weakly.
class Call : public std::enable_shared_from_this<Call> {
 public:
  // `message` is `request` as it is sent; the latter is kept for the local model only.
  Call(Pool* pool, inference::ModelInferRequest message, InferRequest request, TimePoint deadline,
       Client::Done done);

  void Start();
  // Calls `done` with `status` unless it has been called.
  void Fail(const Status& status);

 private:
  struct Attempt {
    std::unique_ptr<grpc::ClientContext> context = std::make_unique<grpc::ClientContext>();
    inference::ModelInferResponse response;
    int endpoint = 0;
  };

  // Runs `step` of the plan under the pool's lock, then carries out what it says.
  void Advance(const std::function<CallSteps(TimePoint now)>& step);
  void Send(int endpoint);
  void OnFinished(const std::shared_ptr<Attempt>& attempt, const grpc::Status& outcome);
  void RunLocal();
  void Finish(Result<InferReply> result);

  Pool* const pool_;
  const inference::ModelInferRequest message_;
  InferRequest request_;  // without pixels where there is no local model
  const int images_;
  const TimePoint started_;
  const TimePoint deadline_;
  CallPlan plan_;  // under the pool's lock

  std::mutex mutex_;
  Client::Done done_;                             // empty once called
  std::map<int, std::shared_ptr<Attempt>> open_;  // by endpoint
  int attempts_ = 0;
  std::optional<TimePoint> armed_;  // the earliest time that a timer is set to
};

}  // namespace braid::client
