// The device: joins membership, sessions and requester on one loop. Layer: cluster/device.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "braid/cluster/device.h"
#include "braid/cluster/device/gate.h"
#include "braid/cluster/device/membership.h"
#include "braid/cluster/device/plan_pool.h"
#include "braid/cluster/device/requester.h"
#include "braid/cluster/device/session_table.h"

namespace braid::cluster {

// Everything but the constructor, the destructor and what device.h says runs on the loop.
class JoinedDevice final : public Device,
                           public TransportHandler,
                           public Membership::Listener,
                           public SessionEvents {
 public:
  JoinedDevice(const model::ModelFile& model, const DeviceOptions& options,
               std::shared_ptr<const runtime::PreparedModel> prepared, Transport* transport,
               Executor* executor, control::Controller* controller);
  ~JoinedDevice() override;

  Result<std::string> Start() override;
  void Submit(InferRequest request, Done done) override;
  void SelfTest(std::function<void(Status)> done) override;
  void Report(std::function<void(std::vector<PeerReport>)> done) override;
  TransportTraffic Traffic() const override { return transport_->traffic(); }
  const model::ModelFile& model() const override { return model_; }
  const DeviceOptions& options() const override { return options_; }

  // TransportHandler
  void OnConnected(ConnectionId connection, bool dialed, const std::string& address) override;
  void OnFrame(ConnectionId connection, Frame frame) override;
  void OnClosed(ConnectionId connection, const Status& reason) override;
  void OnDialFailed(const std::string& address, const Status& reason) override;
  void OnRefused(const std::string& address, const Status& reason) override;

 private:
  // Membership::Listener
  void PeerUp(const PeerInfo& peer) override;
  void PeerDown(DeviceId peer) override;
  void PeerSilent(DeviceId peer) override;
  void PeerHeard(DeviceId peer) override;
  void PeerMeasured(DeviceId peer, Duration round_trip, TimePoint pinged,
                    const Pong& pong) override;
  Pong OwnLoad() override;

  // SessionEvents
  void SessionDone(const AttemptKey& key, int term, std::vector<int32_t> sums, int64_t macs,
                   Duration busy) override;
  void SessionFailed(const AttemptKey& key, int term, const Status& reason) override;
  void MapRefused(const AttemptKey& key, const ReceivedMap& map, const Status& reason) override;

  Status OnAttemptFrame(DeviceId from, ConnectionId connection, Frame frame);
  Status OnStart(DeviceId from, const Frame& frame);
  void SendFailed(DeviceId requester, const AttemptKey& key, AttemptFailure failure,
                  DeviceId culprit, model::LayerIndex layer, const std::string& reason);
  void ReportMissing(const MissingMap& missing, const std::string& reason);
  void Housekeep();
  void WakeAt(TimePoint at);
  void PostToLoop(std::function<void(JoinedDevice&)> task, Duration delay = {});
  std::optional<int> BestLocalPoint() const;

  const model::ModelFile& model_;
  const DeviceOptions options_;
  const DeviceId self_;
  const Hello hello_;
  Transport* transport_;
  std::shared_ptr<const runtime::PreparedModel> prepared_;
  PlanPool pool_;  // inside the compute gate only
  std::shared_ptr<Gate<PlanPool>> compute_gate_;
  std::shared_ptr<Gate<SessionEvents>> event_gate_;
  std::shared_ptr<Gate<JoinedDevice>> loop_gate_;
  Membership membership_;
  SessionTable sessions_;
  Requester requester_;
  std::optional<TimePoint> wake_;  // the earliest wake that is on its way
  double macs_per_second_ = 0;     // smoothed; 0 while unknown
};

}  // namespace braid::cluster
