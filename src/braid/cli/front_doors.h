// The front doors of a process, with what they share: loop, token, catalog. Layer: cli.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/serving/access.h"
#include "braid/serving/catalog.h"
#include "braid/serving/event_loop.h"
#include "braid/serving/grpc_door.h"
#include "braid/serving/metrics_door.h"
#include "braid/serving/rest_door.h"

namespace braid::cli {

struct FrontDoorOptions {
  std::string grpc = "127.0.0.1:8001";
  std::string rest = "127.0.0.1:8000";  // "none": no such door
  std::string metrics = "127.0.0.1:8002";  // likewise
  // An address that nobody asked for may be taken: the door stays shut, and `log` says so.
  bool rest_wanted = false;
  bool metrics_wanted = false;
  bool triton_metrics = false;  // also nv_inference_*
  bool any_address = false;  // beyond loopback without TLS and a token
  std::string tls_certificate, tls_key, token_file;
  serving::DispatchOptions dispatch;
  std::function<void(const std::string& line)> log;
};

class FrontDoors {
 public:
  explicit FrontDoors(FrontDoorOptions options);
  // Drains without notice or grace.
  ~FrontDoors();

  serving::EventLoop& loop() { return loop_; }
  serving::Catalog& catalog() { return catalog_; }
  const serving::DispatchOptions& dispatch() const { return options_.dispatch; }

  // After the models are in the catalog: bodies and messages are bounded by the largest.
  Status Open();
  // "host:port", "" for a door that is shut.
  std::string grpc_address() const { return grpc_ == nullptr ? "" : grpc_->address(); }
  std::string rest_address() const { return rest_ == nullptr ? "" : rest_->address(); }
  std::string metrics_address() const { return metrics_ == nullptr ? "" : metrics_->address(); }

  // Says not ready, goes on serving for `notice` so that load balancers can look, then takes
  // nothing new and waits up to `grace` for what is in flight.
  void Drain(Duration notice, Duration grace);

 private:
  // OK for a door that opened, or whose default address is taken.
  Status Excuse(const std::string& door, const Status& status, bool wanted) const;

  const FrontDoorOptions options_;
  serving::EventLoop loop_;  // outlives all that posts to it
  std::unique_ptr<serving::Access> access_ = std::make_unique<serving::Access>();
  serving::Catalog catalog_;
  std::unique_ptr<serving::GrpcDoor> grpc_;
  std::unique_ptr<serving::RestDoor> rest_;
  std::unique_ptr<serving::HttpServer> metrics_;
};

}  // namespace braid::cli
