// Status and grpc::Status into each other; the codes are numbered alike. Layer: protocol.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "braid/base/status.h"

namespace braid::protocol {

inline grpc::Status ToGrpc(const Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(status.code()), status.message()};
}

// A code outside google.rpc.Code (a hostile server can send any number) becomes UNKNOWN.
inline Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return OkStatus();
  const int code = static_cast<int>(status.error_code());
  const bool known = code > 0 && code <= static_cast<int>(StatusCode::kUnauthenticated);
  return {known ? static_cast<StatusCode>(code) : StatusCode::kUnknown, status.error_message()};
}

}  // namespace braid::protocol
