// One part of one attempt: an execution of the runtime, driven between the loop and the compute
// thread, or, where it is brief, by the loop alone. Layer: cluster/device. Thread model: docs/cluster.md, "Threads".
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "braid/base/clock.h"
#include "braid/cluster/device.h"
#include "braid/cluster/device/gate.h"
#include "braid/cluster/device/plan_pool.h"
#include "braid/cluster/link/frame.h"
#include "braid/cluster/link/transport.h"

namespace braid::cluster {

struct ReceivedMap {
  DeviceId from{};
  ConnectionId connection{};
  model::LayerIndex layer = 0;
  int group = 0;
  std::vector<uint8_t> bytes;
};

// What a session tells the loop, on the loop.
class SessionEvents {
 public:
  virtual ~SessionEvents() = default;
  // `sums` [images, classes]: partial sums of the head; empty when the session has sent them to
  // its requester itself. `macs` were done in `busy`.
  virtual void SessionDone(const AttemptKey& key, int term, std::vector<int32_t> sums, int64_t macs,
                           Duration busy) = 0;
  virtual void SessionFailed(const AttemptKey& key, int term, const Status& reason) = 0;
  // `map` is one that no honest device sends (its bytes are not told); the session ended for it.
  virtual void MapRefused(const AttemptKey& key, const ReceivedMap& map, const Status& reason) = 0;
};

// Where sessions run and whom they tell; all of it outlives the sessions or is held by them.
struct SessionContext {
  Transport* transport = nullptr;
  Executor* executor = nullptr;
  std::shared_ptr<const runtime::PreparedModel> model;  // plans may not outlive it
  std::shared_ptr<Gate<PlanPool>> compute;
  std::shared_ptr<Gate<SessionEvents>> loop;
  Duration brief_work{};  // DeviceOptions::brief_work
};

struct SessionSpec {
  AttemptKey key;
  int term = 0;
  GroupSet groups;  // of the term
  GroupSet local;
  model::LayerIndex head = model::kNoLayer;
  int images = 0;
  bool brief = false;  // each job takes so little time that the loop may run it
  std::shared_ptr<const std::vector<uint8_t>> pixels;
  std::vector<ConnectionId> peers;        // of the other participants of the term
  std::optional<ConnectionId> requester;  // where the logits go; nullopt: to SessionDone
};

// shared_ptr: queued jobs hold the session, which the loop may have forgotten by then.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(const SessionContext& context, SessionSpec spec);

  // ---- loop ----
  // Queues the first job.
  void Begin();
  // A peer's map, checked for sender, layer, group and size; its range is checked when supplied.
  void Deliver(ReceivedMap map);
  // Stops as soon as possible; nothing is told to the loop afterwards but refused maps.
  void Cancel();

  struct Waiting {
    model::LayerIndex layer = 0;
    GroupSet missing;
    TimePoint since{};
  };
  // What the session waits for, if it does.
  std::optional<Waiting> waiting() const;

 private:
  enum class State : uint8_t { kQueued, kWaiting, kEnded };

  void Schedule();
  void ScheduleOnExecutor();
  void Run(PlanPool& pool);  // compute
  Status Advance(PlanPool& pool);
  bool SupplyArrived();
  bool WaitUnlessArrived();
  Status SendMaps();
  void Finish();
  void Release(PlanPool& pool);
  bool cancelled() const;
  template <typename Event>
  void Tell(Event event);

  const SessionContext context_;
  const SessionSpec spec_;

  // Inside the compute gate only.
  PlanPool::Lease lease_;
  bool awaiting_ = false;  // the execution has come to kExchangeAwaited
  bool done_ = false;
  bool refused_ = false;  // a map was: the loop knows
  Duration busy_{};

  mutable std::mutex mutex_;
  State state_ = State::kEnded;  // guarded by mutex_, as all below
  bool cancelled_ = false;
  std::vector<ReceivedMap> inbox_;
  Waiting waiting_;
};

}  // namespace braid::cluster
