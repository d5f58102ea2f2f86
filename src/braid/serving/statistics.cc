#include "braid/serving/statistics.h"

#include <algorithm>

namespace braid::serving {
namespace {

// A group has a few devices at a time; names of former ones may not pile up without end.
constexpr size_t kMostDevices = 256;

}  // namespace

void Histogram::Add(Duration duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  const auto bound = std::ranges::lower_bound(kBoundsSeconds, seconds);
  ++counts[static_cast<size_t>(bound - kBoundsSeconds.begin())];
  total.Add(duration);
}

Refusal RefusalOf(StatusCode code) {
  switch (code) {
    case StatusCode::kResourceExhausted:
      return Refusal::kRejected;
    case StatusCode::kCancelled:
      return Refusal::kCancelled;
    case StatusCode::kDeadlineExceeded:
      return Refusal::kDeadline;
    case StatusCode::kInvalidArgument:
    case StatusCode::kNotFound:
    case StatusCode::kFailedPrecondition:
    case StatusCode::kOutOfRange:
    case StatusCode::kPermissionDenied:
    case StatusCode::kUnauthenticated:
    case StatusCode::kAlreadyExists:
    case StatusCode::kUnimplemented:
      return Refusal::kInvalid;
    case StatusCode::kOk:
    case StatusCode::kUnknown:
    case StatusCode::kAborted:
    case StatusCode::kInternal:
    case StatusCode::kUnavailable:
    case StatusCode::kDataLoss:
      return Refusal::kFailed;
  }
  return Refusal::kFailed;
}

void Statistics::AddSuccess(const Success& success, const cluster::InferResult& result) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::lock_guard lock(mutex_);
  data_.success.Add(success.total);
  data_.queue.Add(success.queue);
  data_.compute_input.Add(success.input);
  data_.compute_infer.Add(success.infer);
  data_.latency.Add(success.total);
  data_.images += static_cast<uint64_t>(success.images);
  data_.failovers += static_cast<uint64_t>(std::max(result.failovers, 0));
  data_.last_inference_ms = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  ++data_.points[result.point];
  for (const std::string& device : result.devices) {
    if (data_.devices.size() < kMostDevices || data_.devices.contains(device)) {
      ++data_.devices[device];
    }
  }
}

void Statistics::AddOutput(Duration duration) {
  const std::lock_guard lock(mutex_);
  data_.compute_output.Add(duration);
}

void Statistics::AddFailure(StatusCode code, Duration total, bool was_accepted) {
  const Refusal refusal = RefusalOf(code);
  const std::lock_guard lock(mutex_);
  data_.failure.Add(total);
  ++data_.refused[static_cast<size_t>(refusal)];
  if (was_accepted && refusal == Refusal::kDeadline) ++data_.budget_misses;
}

void Statistics::AddBatch(int images, Duration infer) {
  const std::lock_guard lock(mutex_);
  ++data_.executions;
  data_.batches[images].Add(infer);
}

StatisticsSnapshot Statistics::Snapshot() const {
  const std::lock_guard lock(mutex_);
  return data_;
}

}  // namespace braid::serving
