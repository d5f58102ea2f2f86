// grpc.health.v1: Check and Watch over one truth. Layer: serving. Our own service, since the
// library's starts as SERVING before its owner can say otherwise. Statuses: docs/serving.md.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>

#include "braid/protocol/health.grpc.pb.h"

namespace braid::serving {

class HealthService final : public grpc::health::v1::Health::CallbackService {
 public:
  // Thread-safe. Makes the name known (the empty one, the whole server, is so from the beginning)
  // and tells its watchers. A name never becomes unknown again.
  void SetServing(const std::string& name, bool serving);
  // Ends the watches, so that a server that shuts down has no endless calls to wait for. Later
  // watches get one status and their end.
  void EndWatches();

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context,
                                  const grpc::health::v1::HealthCheckRequest* request,
                                  grpc::health::v1::HealthCheckResponse* response) override;
  grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* Watch(
      grpc::CallbackServerContext* context,
      const grpc::health::v1::HealthCheckRequest* request) override;

 private:
  class Watcher;

  std::mutex mutex_;  // guards the following and every Watcher
  std::map<std::string, bool> serving_ = {{"", false}};
  bool ending_ = false;
  std::set<Watcher*> watchers_;
};

}  // namespace braid::serving
