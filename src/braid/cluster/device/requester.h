// The requests that this device took: carries out what the coordinator decides and tells it how
// attempts end. Layer: cluster/device. Used on the loop only.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "braid/cluster/core/coordinator.h"
#include "braid/cluster/device.h"
#include "braid/cluster/device/attempt.h"
#include "braid/cluster/device/logit_bounds.h"
#include "braid/cluster/device/membership.h"
#include "braid/cluster/device/session_table.h"
#include "braid/cluster/device/stall_watch.h"

namespace braid::cluster {

class Requester {
 public:
  // All arguments outlive this. `wake_at` asks for Tick() at that time or before.
  Requester(const model::Network& network, const DeviceOptions& options, DeviceId self,
            control::Controller* controller, Membership* membership, SessionTable* sessions,
            Transport* transport, std::function<void(TimePoint)> wake_at);

  void Submit(InferRequest request, TimePoint submitted, Device::Done done);

  // Forwarded to the coordinator.
  void PeerUp(const PeerInfo& peer);
  void PeerDown(DeviceId peer);
  void PeerSilent(DeviceId peer);
  void PeerHeard(DeviceId peer);
  void PeerMeasured(DeviceId peer, Duration round_trip, TimePoint pinged, const Pong& pong);
  void SelfMeasured(double macs_per_second, int requests_for_peers);
  void Tick();
  // Looks for peers that keep attempts waiting. Once a ping interval.
  void JudgeStalls();

  // This device's own part of an own attempt.
  void OwnPartDone(const AttemptKey& key, int term, const std::vector<int32_t>& sums);
  void OwnPartFailed(const AttemptKey& key, const Status& reason);
  void OwnPartMissesMap(const MissingMap& missing);

  // Frames of participants. INVALID_ARGUMENT when no honest device would have sent it.
  Status OnLogits(DeviceId from, const Frame& frame);
  Status OnFailed(DeviceId from, const Frame& frame);

  // Whether requests are placed on the peer now; how often it was found to stall since the start.
  bool Uses(DeviceId peer) const;
  int64_t StallsOf(DeviceId peer) const;
  int open_requests() const { return static_cast<int>(requests_.size()); }
  // Answers every open request with `status`: the device goes away.
  void RejectAll(const Status& status);

 private:
  struct Request {
    std::shared_ptr<const std::vector<uint8_t>> pixels;
    int images = 0;
    TimePoint submitted{};
    TimePoint deadline{};
    Device::Done done;
    std::vector<int32_t> logits;  // of the finished attempt
  };
  using AttemptId = std::pair<RequestId, uint32_t>;

  void Pump();
  void Perform(StartAttempt& action);
  void Perform(AbortAttempt& action);
  void Perform(Answer& action);
  void Perform(Reject& action);
  void SendStart(const StartAttempt& action, const Request& request);
  void JudgeBlames();
  // Adds to `stalled` the peers that the attempt waits for and that stall.
  void AddStalled(const AttemptId& id, const Attempt& attempt, std::set<DeviceId>* stalled);
  void DoWithout(const std::set<DeviceId>& stalled);
  void FailLostAt(DeviceId peer, TimePoint pinged);
  void FinishIfComplete(const AttemptId& id);
  void AddBlame(const AttemptId& id, const Attempt::Blame& blame);
  void Fail(const AttemptId& id, AttemptFailure failure, DeviceId reporter, DeviceId culprit);
  // The attempt of a frame's key, if it is a current one of this life.
  std::optional<AttemptId> Current(const AttemptKey& key) const;
  AttemptKey KeyOf(const AttemptId& id) const;
  std::string NameOf(DeviceId device) const;
  TimePoint Now() const { return transport_->clock().Now(); }

  const model::Network& network_;
  const DeviceOptions& options_;
  const DeviceId self_;
  Membership* membership_;
  SessionTable* sessions_;
  Transport* transport_;
  const std::function<void(TimePoint)> wake_at_;
  const LogitBounds bounds_;
  LogLimiter log_;
  StallWatch stall_watch_;
  std::map<DeviceId, int64_t> stalls_;
  Coordinator coordinator_;
  std::map<RequestId, Request> requests_;
  std::map<AttemptId, Attempt> attempts_;
  std::map<AttemptId, TimePoint> verdicts_;  // attempts with blames: when to judge
  uint64_t next_request_ = 1;
  bool pumping_ = false;
};

}  // namespace braid::cluster
