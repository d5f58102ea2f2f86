#include "braid/cli/chaos/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace braid::cli {
namespace {

constexpr double kBucketRatio = 1.02;
constexpr size_t kMostExamples = 20;

double Milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

void LatencyHistogram::Add(Duration latency) {
  const double us = std::max(1.0, Milliseconds(latency) * 1e3);
  const auto bucket = static_cast<size_t>(std::log(us) / std::log(kBucketRatio));
  ++counts_[std::min(bucket, kBuckets - 1)];
  ++total_;
  worst_ = std::max(worst_, latency);
}

double LatencyHistogram::Quantile(double q) const {
  const auto rank = static_cast<int64_t>(q * static_cast<double>(total_));
  int64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts_[bucket];
    if (seen > rank || (seen == total_ && total_ > 0)) {
      return std::min(WorstMs(), std::pow(kBucketRatio, static_cast<double>(bucket + 1)) / 1e3);
    }
  }
  return 0;
}

double LatencyHistogram::WorstMs() const { return Milliseconds(worst_); }

void Judge::Take(const StreamAnswer& answer) {
  const Duration took = answer.answered - answer.sent;
  const std::lock_guard lock(mutex_);
  totals_.latency.Add(took);
  if (!answer.status.ok()) {
    ++totals_.failed;
    Complain(fmt::format("failed after {:.0f} ms: {}", Milliseconds(took),
                         answer.status.ToString()));
  } else if (took > deadline_) {
    ++totals_.failed;
    Complain(fmt::format("answered after {:.0f} ms, past the deadline", Milliseconds(took)));
  } else {
    ++totals_.answered;
    Verify(answer);
  }
  for (Window& window : windows_) {
    if (answer.answered <= window.from || answer.sent >= window.until) continue;
    window.met = true;
    window.wait = std::max(window.wait, answer.answered - std::max(answer.sent, window.from));
  }
}

void Judge::Verify(const StreamAnswer& answer) {
  const client::InferReply& reply = answer.reply;
  const Result<bool> equal = checks_.equals(answer);
  if (!equal.ok() || !*equal) {
    ++totals_.wrong;
    Complain(fmt::format("wrong: images from {}, point {} of version {}, from {}: {}",
                         answer.first_image, reply.operating_point, reply.version, reply.endpoint,
                         equal.ok() ? "other bits" : equal.status().ToString()));
  }
  totals_.images += answer.images;
  totals_.correct += checks_.correct(answer);
  totals_.failovers += reply.failovers;
  totals_.retried += reply.attempts > 1 ? 1 : 0;
  // What names these is input: more names than there can be are a wrong answer, already counted.
  if (equal.ok() && *equal) {
    ++totals_.points[reply.operating_point];
    ++totals_.versions[reply.version];
  }
}

void Judge::Complain(const std::string& what) {
  if (totals_.examples.size() < kMostExamples) totals_.examples.push_back(what);
}

void Judge::OpenWindow(const std::string& fault, TimePoint from, Duration length) {
  const std::lock_guard lock(mutex_);
  // A request takes no longer than its deadline, and what comes back later was counted as failed.
  CloseBefore(from - 2 * deadline_);
  windows_.push_back({fault, from, from + length, {}, false});
}

void Judge::CloseBefore(TimePoint time) {
  std::erase_if(windows_, [&](const Window& window) {
    if (window.until > time) return false;
    if (window.met) totals_.waits_ms[window.fault].push_back(Milliseconds(window.wait));
    return true;
  });
}

JudgeTotals Judge::Finish() {
  const std::lock_guard lock(mutex_);
  CloseBefore(TimePoint::max());
  return std::exchange(totals_, {});
}

}  // namespace braid::cli
