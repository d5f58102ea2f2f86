// grpc.health.v1: Check and Watch over one truth. Layer: serving. Our own service, since the
// library's starts as SERVING before its owner can say otherwise. Statuses: docs/serving.md.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "braid/protocol/health.grpc.pb.h"

namespace braid::serving {

class HealthService final : public grpc::health::v1::Health::CallbackService {
 public:
  // `names` (the empty one, the whole server, is added) start as NOT_SERVING.
  explicit HealthService(std::vector<std::string> names);

  // Thread-safe. Tells every watcher of a known name.
  void SetServing(bool serving);
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

  bool Known(const std::string& name) const { return names_.contains(name); }

  const std::set<std::string> names_;
  std::mutex mutex_;  // guards the following and every Watcher
  bool serving_ = false;
  bool ending_ = false;
  std::set<Watcher*> watchers_;
};

}  // namespace braid::serving
