// One inference from the caller's view: attempts at endpoints until one answers. Layer: client.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "braid/client/client.h"
#include "braid/client/pool.h"
#include "braid/protocol/open_inference.pb.h"

namespace braid::client {

// Shared by the client's list of open calls and its attempts' callbacks, which may outlast its
// answer; timers hold it weakly.
class Call : public std::enable_shared_from_this<Call> {
 public:
  Call(Pool* pool, inference::ModelInferRequest request, int images, TimePoint deadline,
       Client::Done done);

  void Start();
  // Calls `done` with `status` unless it has been called.
  void Fail(const Status& status);

 private:
  struct Attempt {
    std::unique_ptr<grpc::ClientContext> context = std::make_unique<grpc::ClientContext>();
    inference::ModelInferResponse response;
    int endpoint = 0;
    TimePoint started{};
    bool open = true;  // false before the context goes
  };

  // Sends to another endpoint, or arranges to try again later when there is none to send to.
  void TryNext();
  void Send(int endpoint);
  void OnFinished(const std::shared_ptr<Attempt>& attempt, const grpc::Status& outcome);
  void OnHedge(const std::shared_ptr<Attempt>& attempt);
  void RetryLater();
  void OnPauseOver();
  void Finish(Result<InferReply> result);

  Pool* const pool_;
  const inference::ModelInferRequest request_;
  const int images_;
  const TimePoint started_;
  const TimePoint deadline_;

  std::mutex mutex_;
  Client::Done done_;  // empty once called
  std::vector<std::shared_ptr<Attempt>> attempts_;
  std::vector<bool> busy_;     // endpoints with an open attempt of ours
  std::vector<bool> refused_;  // endpoints that answered that they are overloaded
  Duration pause_;             // before endpoints that are down are tried once more
  bool retry_waits_ = false;
  Status last_error_;
};

}  // namespace braid::client
