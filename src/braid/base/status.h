// Errors as values: Status and Result<T>, with the codes of google.rpc.Code. Layer: base.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "braid/base/check.h"

namespace braid {

// Named and numbered as in google.rpc.Code, so that the gRPC door can pass them through.
enum class StatusCode {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// "INVALID_ARGUMENT" for kInvalidArgument, and so on.
std::string_view StatusCodeName(StatusCode code);

// The outcome of an operation that yields nothing. A message names the thing at fault (file,
// field, peer) first and what is wrong with it second.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // "INVALID_ARGUMENT: models/a.braid: layer 3: …", or "OK".
  std::string ToString() const;

  // The same error with `context` and ": " before its message; an OK status stays OK.
  Status WithContext(std::string_view context) const;

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status OkStatus() { return Status(); }
inline Status InvalidArgument(std::string m) { return {StatusCode::kInvalidArgument, std::move(m)}; }
inline Status NotFound(std::string m) { return {StatusCode::kNotFound, std::move(m)}; }
inline Status FailedPrecondition(std::string m) {
  return {StatusCode::kFailedPrecondition, std::move(m)};
}
inline Status DataLoss(std::string m) { return {StatusCode::kDataLoss, std::move(m)}; }
inline Status Unavailable(std::string m) { return {StatusCode::kUnavailable, std::move(m)}; }
inline Status Internal(std::string m) { return {StatusCode::kInternal, std::move(m)}; }
inline Status ResourceExhausted(std::string m) {
  return {StatusCode::kResourceExhausted, std::move(m)};
}
inline Status DeadlineExceeded(std::string m) {
  return {StatusCode::kDeadlineExceeded, std::move(m)};
}
inline Status Unimplemented(std::string m) { return {StatusCode::kUnimplemented, std::move(m)}; }
inline Status OutOfRange(std::string m) { return {StatusCode::kOutOfRange, std::move(m)}; }

// A value or the error that stands in its place (a subset of std::expected<T, Status>).
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT: implicit, as std::expected is
  Result(Status status) : status_(std::move(status)) {  // NOLINT
    BRAID_CHECK(!status_.ok()) << "a Result without a value needs an error";
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  T& value() & { return Get(); }
  const T& value() const& { return const_cast<Result*>(this)->Get(); }
  T&& value() && { return std::move(Get()); }
  T& operator*() & { return Get(); }
  const T& operator*() const& { return const_cast<Result*>(this)->Get(); }
  T&& operator*() && { return std::move(Get()); }
  T* operator->() { return &Get(); }
  const T* operator->() const { return &const_cast<Result*>(this)->Get(); }

 private:
  T& Get() {
    BRAID_CHECK(value_.has_value()) << status_.ToString();
    return *value_;
  }

  std::optional<T> value_;
  Status status_;
};

}  // namespace braid

#define BRAID_CONCAT_INNER(a, b) a##b
#define BRAID_CONCAT(a, b) BRAID_CONCAT_INNER(a, b)

// Returns the error of `expression` from the enclosing function, which returns Status or Result.
#define BRAID_RETURN_IF_ERROR(expression)                          \
  do {                                                             \
    if (::braid::Status braid_status = (expression); !braid_status.ok()) return braid_status; \
  } while (false)

// BRAID_ASSIGN_OR_RETURN(auto x, F()): declares x from a Result, or returns its error.
#define BRAID_ASSIGN_OR_RETURN(declaration, expression) \
  BRAID_ASSIGN_OR_RETURN_INNER(BRAID_CONCAT(braid_result_, __LINE__), declaration, expression)
#define BRAID_ASSIGN_OR_RETURN_INNER(result, declaration, expression) \
  auto result = (expression);                                         \
  if (!result.ok()) return result.status();                           \
  declaration = std::move(result).value()
