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
  Duration estimate{};  // expected time until it is finished
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
  kPeerSilent,   // culprit connected but not heard for the silence limit
  kPeerRefused,  // culprit refused to start (no credit, unknown model, overloaded)
  kBrokenLink,   // a participant missed the culprit's map although we hear both
  kMismatch,     // decision digests differ
};

struct CoordinatorOptions {
  Duration default_deadline = std::chrono::seconds(1);
  // So long a pair whose link is broken shares no term, but no longer than the younger of the two
  // has been here (at least refusal_backoff): one that came back, from a silence too, meets the
  // others one by one, and its links are tried after twice as long each time.
  Duration broken_link_penalty = std::chrono::seconds(1);
  // A peer that holds on to its part and delivers nothing is not used for so long, and twice as long
  // each time until it delivers, up to sixteen times.
  Duration stall_penalty = std::chrono::seconds(1);
  // A request that only the refusing device could run asks it again after this.
  Duration refusal_backoff = std::chrono::milliseconds(20);
  int max_in_flight = 256;  // started attempts; more requests wait in order of arrival
};

// An open request as seen from outside, for tests and reports.
struct RequestView {
  enum class Phase : uint8_t {
    kQueued,   // waits for a free place or a peer's credit
    kBlocked,  // cannot be placed: waits for devices, links or a refusing peer
    kRunning,
  };
  RequestId request{};
  Phase phase = Phase::kQueued;
  uint32_t attempt = 0;
  TimePoint deadline{};
  std::optional<TimePoint> retry_at;  // kBlocked: when it is tried again by itself
  control::Placement placement;       // kRunning
};

class Coordinator {
 public:
  // `controller` must outlive this.
  Coordinator(DeviceId self, GroupSet share, control::Controller* controller,
              CoordinatorOptions options);

  // ---- events; every one may append actions ----
  // `now` never goes back. Each event first rejects the requests whose deadline has passed.

  // Also a peer's next life: the attempts of its former one end as in PeerDown.
  void PeerUp(const PeerInfo& peer, TimePoint now);
  void PeerDown(DeviceId peer, TimePoint now);    // connection closed
  void PeerSilent(DeviceId peer, TimePoint now);  // suspected until PeerHeard
  void PeerHeard(DeviceId peer, TimePoint now);
  // Connected and heard, but it does not deliver what it was asked for: not used for a while, and
  // what it has is run again without it.
  void PeerStalled(DeviceId peer, TimePoint now);
  void PeerMeasured(DeviceId peer, Duration round_trip, int requests_queued, double macs_per_second,
                    TimePoint now);
  // `requests_for_peers`: attempts of other requesters that this device takes part in now.
  void SelfMeasured(double macs_per_second, TimePoint now, int requests_for_peers = 0);
  // `request` must be new. `deadline` absolute on the local clock; constraints.remaining is
  // recomputed at each attempt.
  void Submit(RequestId request, const control::Constraints& constraints,
              std::optional<TimePoint> deadline, TimePoint now);
  // Rejects with CANCELLED.
  void Cancel(RequestId request, TimePoint now);
  void AttemptFinished(RequestId request, uint32_t attempt, TimePoint now);
  // `reporter` noticed; `culprit` is the device at fault (== reporter for kPeerRefused).
  void AttemptFailed(RequestId request, uint32_t attempt, AttemptFailure failure, DeviceId reporter,
                     DeviceId culprit, TimePoint now);
  // Two devices cannot talk to each other, as one of them found; no attempt is given up for it.
  void LinkBroken(DeviceId a, DeviceId b, TimePoint now);
  // Deadlines and penalties that have passed by `now`.
  void Tick(TimePoint now);

  // ---- outputs ----
  std::vector<Action> TakeActions();
  // When Tick must be called next; nullopt while nothing is due.
  std::optional<TimePoint> NextTick() const;
  // Requests neither answered nor rejected.
  int open_requests() const { return static_cast<int>(requests_.size()); }
  // Usable devices, self first.
  std::vector<control::DeviceState> Devices() const;
  // Open requests in order of arrival.
  std::vector<RequestView> Requests() const;

 private:
  using Link = std::pair<DeviceId, DeviceId>;  // smaller id first
  using Order = uint64_t;                      // of arrival

  struct Peer {
    PeerInfo info;
    TimePoint here_since{};  // connected, or heard again after a silence
    bool silent = false;
    std::optional<TimePoint> stalled_until = {};
    int stalls = 0;  // since it last delivered
    Duration round_trip{};
    int requests_queued = 0;
    double macs_per_second = 0;
    int running = 0;  // our attempts there: never above info.credit
    bool usable() const { return !silent && !stalled_until.has_value(); }
  };
  struct Request {
    Order order = 0;
    control::Constraints constraints;
    TimePoint deadline{};
    RequestView::Phase phase = RequestView::Phase::kQueued;
    uint32_t attempt = 0;
    int point = 0;
    control::Placement placement;  // kRunning
    std::set<DeviceId> avoided;    // refused this request
    std::optional<TimePoint> retry_at;
    Status reason;  // why it is blocked
  };
  using RequestMap = std::map<RequestId, Request>;
  enum class Filter { kAll, kWithCredit, kWillingWithCredit, kWilling };

  // Rejects what is past its deadline, ends penalties and back-offs.
  void Expire(TimePoint now);
  // Starts what can be started, in order of arrival.
  void Pump(TimePoint now);
  // What came of an attempt to start.
  enum class Start { kStarted, kRejected, kBlocked, kNoCredit };
  Start TryStart(RequestId id, Request& request, TimePoint now);
  void Run(RequestId id, Request& request, control::Choice choice);
  Result<control::Choice> Choose(const Request& request, Filter filter, TimePoint now);

  // Takes the request out of running, with an AbortAttempt.
  void Abort(RequestId id, Request& request);
  // Abort, then queue as the next attempt.
  void Rerun(RequestId id, Request& request);
  void RerunAllWith(DeviceId peer);
  void Release(const Request& request);  // credits and counts of a running attempt
  void Close(RequestMap::iterator it);   // forget
  void RejectAndClose(RequestMap::iterator it, Status status);
  void Suspect(DeviceId peer);
  void BreakLink(DeviceId a, DeviceId b, TimePoint now);
  void ForgetBrokenLinksOf(DeviceId device);
  // Devices or links changed: what was blocked may be placeable.
  void Unblock();

  control::DeviceState SelfState() const;
  control::DeviceState PeerState(const Peer& peer) const;

  DeviceId self_;
  GroupSet share_;
  control::Controller* controller_;
  CoordinatorOptions options_;
  double self_macs_per_second_ = 0;
  int requests_for_peers_ = 0;

  std::map<DeviceId, Peer> peers_;          // connected
  std::map<Link, TimePoint> broken_links_;  // until when
  RequestMap requests_;
  Order next_order_ = 0;
  std::map<Order, RequestId> queue_;
  std::map<Order, RequestId> blocked_;
  std::set<std::pair<TimePoint, RequestId>> deadlines_;
  std::set<std::pair<TimePoint, RequestId>> retries_;
  int running_ = 0;
  int running_here_ = 0;  // of these, with a part for this device
  std::vector<Action> actions_;
};

}  // namespace braid::cluster
