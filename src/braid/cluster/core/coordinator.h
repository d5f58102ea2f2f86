// The requester's side of the group as a pure state machine: membership, placement, attempts,
// failover. Layer: cluster/core. Knows no thread, socket or clock: events in, actions out.
//
// A request becomes attempt 0; when a participant is lost, silent or reports a failure, the attempt
// is aborted and the request re-run as the next attempt on what is left, until its deadline.
// Exactly one of Answer or Reject is emitted for every request. Data frames bypass this class: the
// device reports only how an attempt ended.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/control/controller.h"
#include "braid/control/placement.h"

namespace braid::cluster {

using control::DeviceId;
enum class RequestId : uint64_t {};

struct PeerInfo {
  DeviceId id{};
  uint64_t incarnation = 0;  // random per start of the device program
  GroupSet share;
  int credit = 0;  // requests that the peer accepts from us at a time
};

// ---- actions ----
struct StartAttempt {
  RequestId request{};
  uint32_t attempt = 0;
  int point = 0;
  control::Placement placement;
};
struct AbortAttempt {  // tell remaining participants, drop local state
  RequestId request{};
  uint32_t attempt = 0;
  std::vector<DeviceId> participants;  // those still connected, without self
};
struct Answer {
  RequestId request{};
  uint32_t attempt = 0;
  int point = 0;
  int failovers = 0;  // attempts that were given up
  std::vector<DeviceId> devices;
};
struct Reject {
  RequestId request{};
  Status status;
};
using Action = std::variant<StartAttempt, AbortAttempt, Answer, Reject>;

enum class AttemptFailure : uint8_t {
  kPeerSilent,     // culprit connected but not heard for the silence limit
  kPeerRefused,    // culprit refused to start (no credit, unknown model, overloaded)
  kBrokenLink,     // a participant missed the culprit's map although we hear both
  kMismatch,       // decision digests differ
};

struct CoordinatorOptions {
  Duration default_deadline = std::chrono::seconds(1);
  Duration broken_link_penalty = std::chrono::seconds(1);
  int max_in_flight = 256;  // started attempts; more requests wait in order of arrival
};

class Coordinator {
 public:
  Coordinator(DeviceId self, GroupSet share, control::Controller* controller,
              CoordinatorOptions options);

  // ---- events; every one may append actions ----
  void PeerUp(const PeerInfo& peer, TimePoint now);
  void PeerDown(DeviceId peer, TimePoint now);      // connection closed
  void PeerSilent(DeviceId peer, TimePoint now);    // suspected until PeerHeard
  void PeerHeard(DeviceId peer, TimePoint now);
  void PeerMeasured(DeviceId peer, Duration round_trip, int requests_queued,
                    double macs_per_second, TimePoint now);
  void SelfMeasured(double macs_per_second, TimePoint now);
  // `deadline` absolute on the local clock; constraints.remaining is recomputed at each attempt.
  void Submit(RequestId request, const control::Constraints& constraints,
              std::optional<TimePoint> deadline, TimePoint now);
  void Cancel(RequestId request, TimePoint now);
  void AttemptFinished(RequestId request, uint32_t attempt, TimePoint now);
  // `reporter` noticed; `culprit` is the device at fault (== reporter for kPeerRefused).
  void AttemptFailed(RequestId request, uint32_t attempt, AttemptFailure failure,
                     DeviceId reporter, DeviceId culprit, TimePoint now);
  // Deadlines and penalties that have passed by `now`.
  void Tick(TimePoint now);

  // ---- outputs ----
  std::vector<Action> TakeActions();
  // When Tick must be called next; nullopt while nothing is due.
  std::optional<TimePoint> NextTick() const;
  // Requests neither answered nor rejected.
  int open_requests() const;
  // Usable devices, self first.
  std::vector<control::DeviceState> Devices() const;

 private:
  struct Peer;
  struct Request;
  // (the core helper fills in)
};

}  // namespace braid::cluster
