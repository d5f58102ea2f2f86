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
  if (options_.rest == "none") return OkStatus();
  serving::RestDoorOptions rest;
  rest.http.address = options_.rest;
  rest.http.tls = tls;
  rest.http.limits.body_bytes = 0;
  rest.allow_any_address = options_.any_address;
  rest.version = BRAID_VERSION;
  auto door = serving::RestDoor::Open(&loop_, &catalog_, access_.get(), rest);
  if (door.ok()) {
    rest_ = std::move(door).value();
  } else if (options_.rest_wanted || door.status().code() != StatusCode::kUnavailable) {
    return door.status();
  } else if (options_.log) {
    options_.log("no REST door: " + door.status().message());
  }
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
  rest_.reset();
  grpc_.reset();
}

}  // namespace braid::cli
