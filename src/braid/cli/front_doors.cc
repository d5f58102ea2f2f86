#include "braid/cli/front_doors.h"

#include <thread>
#include <utility>

namespace braid::cli {

FrontDoors::FrontDoors(FrontDoorOptions options) : options_(std::move(options)) {}

FrontDoors::~FrontDoors() { Drain(Duration::zero(), Duration::zero()); }

Status FrontDoors::Open() {
  if (!options_.token_file.empty()) {
    BRAID_ASSIGN_OR_RETURN(access_, serving::Access::FromFile(options_.token_file));
  }
  const serving::TlsFiles tls{.certificate = options_.tls_certificate, .key = options_.tls_key};
  serving::GrpcDoorOptions grpc;
  grpc.address = options_.grpc;
  grpc.allow_any_address = options_.any_address;
  grpc.version = BRAID_VERSION;
  grpc.tls = tls;
  BRAID_ASSIGN_OR_RETURN(grpc_, serving::GrpcDoor::Open(&catalog_, access_.get(), grpc));
  if (options_.rest != "none") {
    serving::RestDoorOptions rest;
    rest.http.address = options_.rest;
    rest.http.tls = tls;
    rest.http.limits.body_bytes = 0;
    rest.allow_any_address = options_.any_address;
    rest.version = BRAID_VERSION;
    auto door = serving::RestDoor::Open(&loop_, &catalog_, access_.get(), rest);
    BRAID_RETURN_IF_ERROR(Excuse("REST", door.status(), options_.rest_wanted));
    if (door.ok()) rest_ = std::move(door).value();
  }
  if (options_.metrics != "none") {
    serving::HttpServerOptions http;
    http.address = options_.metrics;
    http.tls = tls;
    auto door = serving::OpenMetricsDoor(
        &loop_, &catalog_, access_.get(), http, options_.any_address,
        {.triton_names = options_.triton_metrics, .version = BRAID_VERSION});
    BRAID_RETURN_IF_ERROR(Excuse("metrics", door.status(), options_.metrics_wanted));
    if (door.ok()) metrics_ = std::move(door).value();
  }
  return OkStatus();
}

Status FrontDoors::Excuse(const std::string& door, const Status& status, bool wanted) const {
  if (wanted || status.code() != StatusCode::kUnavailable) return status;
  if (options_.log) options_.log("no " + door + " door: " + status.message());
  return OkStatus();
}

void FrontDoors::Drain(Duration notice, Duration grace) {
  if (grpc_ == nullptr && rest_ == nullptr) return;
  catalog_.Drain();
  if (notice > Duration::zero()) std::this_thread::sleep_for(notice);
  std::thread rest([this, grace] {
    if (rest_ != nullptr) rest_->Drain(grace);
  });
  if (grpc_ != nullptr) grpc_->Drain(grace);
  rest.join();
  for (const auto& model : catalog_.Models()) model->Stop();
  metrics_.reset();  // last, so that the end can be watched
  rest_.reset();
  grpc_.reset();
}

}  // namespace braid::cli
