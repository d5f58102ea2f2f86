// What must hold after every step of a Coordinator, whatever happens. Wraps one, keeps a model of
// its own from the events and actions alone, and compares. For tests and simulation.
// Layer: cluster/core.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "braid/cluster/core/coordinator.h"
#include "braid/model/network.h"

namespace braid::cluster {

// The invariants:
//  1. Every submitted request is open or was answered or rejected, exactly once.
//  2. An answer comes from the request's current attempt, when that attempt has finished.
//  3. A started attempt covers every group of every term of its point exactly once, on devices that
//     were usable (heard, and not known to stall) and carry these groups; no broken link lies within a term.
//  4. No attempt keeps running with a device that is gone or suspected, or that stalls.
//  5. A peer never holds more of our attempts than its credit; never more than max_in_flight run.
//  6. Every open request runs, is queued for a reason, or is blocked; all before their deadline;
//     NextTick is no later than the first deadline, the first retry and the first peer's next trial.
class CheckedCoordinator {
 public:
  CheckedCoordinator(DeviceId self, GroupSet share, control::Controller* controller,
                     CoordinatorOptions options, const model::Network* network);

  // The events of Coordinator. Each returns the actions that followed.
  std::vector<Action> PeerUp(const PeerInfo& peer, TimePoint now);
  std::vector<Action> PeerDown(DeviceId peer, TimePoint now);
  std::vector<Action> PeerSilent(DeviceId peer, TimePoint now);
  std::vector<Action> PeerHeard(DeviceId peer, TimePoint now);
  std::vector<Action> PeerStalled(DeviceId peer, TimePoint now);
  std::vector<Action> PeerMeasured(DeviceId peer, Duration round_trip, int requests_queued,
                                   double macs_per_second, TimePoint now);
  std::vector<Action> SelfMeasured(double macs_per_second, TimePoint now);
  std::vector<Action> Submit(RequestId request, const control::Constraints& constraints,
                             std::optional<TimePoint> deadline, TimePoint now);
  std::vector<Action> Cancel(RequestId request, TimePoint now);
  std::vector<Action> AttemptFinished(RequestId request, uint32_t attempt, TimePoint now);
  std::vector<Action> AttemptFailed(RequestId request, uint32_t attempt, AttemptFailure failure,
                                    DeviceId reporter, DeviceId culprit, TimePoint now);
  std::vector<Action> Tick(TimePoint now);

  const Coordinator& coordinator() const { return coordinator_; }
  // Attempts that run, by request.
  const std::map<RequestId, StartAttempt>& running() const { return running_; }
  // What was violated, in words; empty while all is well.
  const std::vector<std::string>& violations() const { return violations_; }
  int submitted() const { return submitted_; }
  int answered() const { return answered_; }
  int rejected() const { return rejected_; }

 private:
  struct Peer {
    PeerInfo info;
    TimePoint here_since{};
    bool silent = false;
    std::optional<TimePoint> stalled_until = {};
    int stalls = 0;
    bool usable() const { return !silent && !stalled_until.has_value(); }
  };
  using Finished = std::optional<std::pair<RequestId, uint32_t>>;

  std::vector<Action> Check(TimePoint now, const Finished& finished = std::nullopt);
  void EndStalls(TimePoint now);
  void CheckStart(const StartAttempt& start, TimePoint now);
  void CheckAbort(const AbortAttempt& abort);
  void CheckAnswer(const Answer& answer, const Finished& finished);
  void CheckReject(const Reject& reject);
  void CheckState(TimePoint now);
  Duration Penalty(DeviceId a, DeviceId b, TimePoint now) const;
  bool ShareTerm(const StartAttempt& start, DeviceId a, DeviceId b) const;
  void Violation(RequestId request, const std::string& what);

  Coordinator coordinator_;
  DeviceId self_;
  GroupSet share_;
  CoordinatorOptions options_;
  const model::Network* network_;
  std::map<DeviceId, Peer> peers_;
  std::optional<DeviceId> reborn_;  // in the event at hand
  std::map<std::pair<DeviceId, DeviceId>, TimePoint> broken_links_;
  std::map<RequestId, uint32_t> open_;  // next attempt's number
  std::map<RequestId, StartAttempt> running_;
  std::set<RequestId> closed_;
  std::vector<std::string> violations_;
  int submitted_ = 0;
  int answered_ = 0;
  int rejected_ = 0;
};

}  // namespace braid::cluster
