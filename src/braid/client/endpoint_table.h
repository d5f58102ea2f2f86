// Which endpoint to ask next: who is up, who is down for how long, who is busy. Pure: time is an
// argument, nothing is sent. Layer: client. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "braid/base/clock.h"
#include "braid/client/client.h"
#include "braid/client/latency_window.h"

namespace braid::client {

class EndpointTable {
 public:
  explicit EndpointTable(const ClientOptions& options);

  struct Pick {
    int endpoint = -1;  // -1: none but `excluded` and full ones
    bool up = false;
  };
  // The endpoint for the next attempt, never one of `excluded` nor one with
  // ClientOptions::most_outstanding attempts open: an endpoint that is up if there is one, better
  // one that has not just refused; else the one that has been down for longest since its last try.
  Pick Choose(const std::vector<bool>& excluded, TimePoint now);

  void Started(int endpoint);
  // Ends what Started began.
  void Ended(int endpoint);

  // An inference was answered (an error of the request itself counts: the endpoint works).
  void Answered(int endpoint, Duration latency);
  // It is overloaded until about then. Without this those who refuse would get the most: nobody has
  // fewer requests in flight.
  void Refused(int endpoint, TimePoint until) { Row(endpoint).refuses_until = until; }
  // An attempt failed: down. Returns when to probe; nullopt when a probe is under way already.
  std::optional<TimePoint> Failed(int endpoint, const std::string& error, TimePoint now);
  // A probe passed: up again, but the back-off is forgotten only by an answer.
  void ProbePassed(int endpoint);
  // Down still. Returns when to probe next.
  TimePoint ProbeFailed(int endpoint, const std::string& error, TimePoint now);

  // An attempt was cancelled after `elapsed`, since another one won.
  void GivenUp(Duration elapsed) { latencies_.Add(elapsed); }

  // After how long without an answer an endpoint is suspected.
  Duration SuspectAfter() const;
  // Of attempts at all endpoints; nothing while too few are known.
  std::optional<Duration> P95() const { return latencies_.P95(); }

  bool up(int endpoint) const { return Row(endpoint).report.up; }
  std::vector<EndpointReport> Reports() const;

 private:
  struct RowData {
    EndpointReport report;
    int failures = 0;          // in a row
    bool probing = false;      // a probe waits for its time or its answer
    uint64_t last_chosen = 0;  // turn number
    TimePoint refuses_until{};
  };
  TimePoint NextProbe(RowData* row, TimePoint now) const;
  RowData& Row(int endpoint) { return rows_[static_cast<size_t>(endpoint)]; }
  const RowData& Row(int endpoint) const { return rows_[static_cast<size_t>(endpoint)]; }

  const ClientOptions options_;
  std::vector<RowData> rows_;
  uint64_t turn_ = 0;
  Duration usual_latency_{};  // smoothed over all answers; 0 before the first
  LatencyWindow latencies_;
};

}  // namespace braid::client
