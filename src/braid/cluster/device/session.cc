#include "braid/cluster/device/session.h"

#include "braid/cluster/device/logit_bounds.h"

namespace braid::cluster {

Session::Session(const SessionContext& context, SessionSpec spec)
    : context_(context), spec_(std::move(spec)) {}

void Session::Begin() {
  {
    const std::lock_guard lock(mutex_);
    state_ = State::kQueued;
  }
  Schedule();
}

void Session::Schedule() {
  if (!spec_.brief) return ScheduleOnExecutor();
  // Not at once: whoever is on the loop has not finished with this session's table.
  context_.transport->Post([self = shared_from_this()] {
    const bool ran =
        self->context_.compute->TryEnter([&self](PlanPool& pool) { self->Run(pool); });
    if (!ran) self->ScheduleOnExecutor();  // something long is being computed
  });
}

void Session::ScheduleOnExecutor() {
  context_.executor->Run([self = shared_from_this()] {
    self->context_.compute->Enter([&self](PlanPool& pool) { self->Run(pool); });
  });
}

void Session::Deliver(ReceivedMap map) {
  bool complete = false;
  {
    const std::lock_guard lock(mutex_);
    if (cancelled_ || state_ == State::kEnded) return;
    if (state_ == State::kWaiting && map.layer == waiting_.layer) {
      waiting_.missing = waiting_.missing - GroupSet::Single(map.group);
      complete = waiting_.missing.empty();
    }
    inbox_.push_back(std::move(map));
    if (complete) state_ = State::kQueued;
  }
  if (complete) Schedule();
}

void Session::Cancel() {
  bool release = false;
  {
    const std::lock_guard lock(mutex_);
    if (cancelled_) return;
    cancelled_ = true;
    inbox_.clear();
    release = state_ == State::kWaiting;
    if (release) state_ = State::kQueued;
  }
  if (release) Schedule();  // the execution goes back to the pool on the thread that owns it
}

std::optional<Session::Waiting> Session::waiting() const {
  const std::lock_guard lock(mutex_);
  if (state_ != State::kWaiting) return std::nullopt;
  return waiting_;
}

bool Session::cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

template <typename Event>
void Session::Tell(Event event) {
  context_.transport->Post(
      [loop = context_.loop, event = std::move(event)]() mutable { loop->Enter(event); });
}

void Session::Run(PlanPool& pool) {
  const Clock& clock = context_.transport->clock();
  const TimePoint begun = clock.Now();
  const Status status = cancelled() ? OkStatus() : Advance(pool);
  busy_ += clock.Now() - begun;
  if (!status.ok()) {
    Tell([key = spec_.key, term = spec_.term, status](SessionEvents& events) {
      events.SessionFailed(key, term, status);
    });
  } else if (done_) {
    Finish();
  } else if (!refused_ && !cancelled()) {
    return;  // waiting: Deliver or Cancel queues the next job
  }
  Release(pool);
}

Status Session::Advance(PlanPool& pool) {
  if (!lease_) {
    BRAID_ASSIGN_OR_RETURN(lease_, pool.Take(spec_.groups, spec_.local, spec_.head, spec_.images));
    BRAID_RETURN_IF_ERROR(lease_.execution->Start(*spec_.pixels, spec_.images));
  }
  while (!cancelled()) {
    if (!SupplyArrived()) {
      refused_ = true;
      return OkStatus();
    }
    if (awaiting_) {
      if (!lease_.execution->Missing().empty()) {
        if (WaitUnlessArrived()) return OkStatus();
        continue;
      }
      awaiting_ = false;
    }
    switch (lease_.execution->Resume()) {
      case runtime::Step::kDone:
        done_ = true;
        return OkStatus();
      case runtime::Step::kExchangeReady:
        BRAID_RETURN_IF_ERROR(SendMaps());
        break;
      case runtime::Step::kExchangeAwaited:
        awaiting_ = true;
        break;
      case runtime::Step::kCheckpoint:
        break;  // an operating point names one head: earlier exits are passed
    }
  }
  return OkStatus();
}

// False when a map was refused.
bool Session::SupplyArrived() {
  std::vector<ReceivedMap> arrived;
  {
    const std::lock_guard lock(mutex_);
    arrived.swap(inbox_);
  }
  for (ReceivedMap& map : arrived) {
    const Status status = lease_.execution->Supply(map.layer, map.group, map.bytes);
    if (status.ok()) continue;
    map.bytes.clear();
    Tell([key = spec_.key, map = std::move(map), status](SessionEvents& events) {
      events.MapRefused(key, map, status);
    });
    return false;
  }
  return true;
}

// True when the session now waits; false when maps came in while the decision was made.
bool Session::WaitUnlessArrived() {
  const std::lock_guard lock(mutex_);
  if (!inbox_.empty() || cancelled_) return false;
  state_ = State::kWaiting;
  waiting_ = {lease_.execution->exchange_layer(), lease_.execution->Missing(),
              context_.transport->clock().Now()};
  return true;
}

Status Session::SendMaps() {
  const model::LayerIndex layer = lease_.execution->exchange_layer();
  for (const int group : spec_.local) {
    const std::span<const uint8_t> map = lease_.execution->LocalMap(group);
    if (map.size() > kMaxPayloadBytes) return ResourceExhausted("map: larger than a frame");
    for (const ConnectionId peer : spec_.peers) {
      Frame frame;
      frame.kind = FrameKind::kMap;
      frame.key = spec_.key;
      frame.term = static_cast<uint8_t>(spec_.term);
      frame.group = static_cast<uint8_t>(group);
      frame.layer = static_cast<uint16_t>(layer);
      frame.payload.assign(map.begin(), map.end());
      context_.transport->Send(peer, std::move(frame));
    }
  }
  return OkStatus();
}

void Session::Finish() {
  if (cancelled()) return;
  const std::span<const int32_t> logits = lease_.execution->Logits();
  std::vector<int32_t> sums;
  if (spec_.requester) {
    Frame frame;
    frame.kind = FrameKind::kLogits;
    frame.key = spec_.key;
    frame.term = static_cast<uint8_t>(spec_.term);
    frame.payload = EncodeLogits(logits);
    context_.transport->Send(*spec_.requester, std::move(frame));
  } else {
    sums.assign(logits.begin(), logits.end());
  }
  Tell([key = spec_.key, term = spec_.term, sums = std::move(sums),
        macs = lease_.entry->macs * spec_.images, busy = busy_](SessionEvents& events) mutable {
    events.SessionDone(key, term, std::move(sums), macs, busy);
  });
}

void Session::Release(PlanPool& pool) {
  {
    const std::lock_guard lock(mutex_);
    state_ = State::kEnded;
    inbox_.clear();
  }
  if (lease_) pool.Give(std::move(lease_));
  lease_ = {};
}

}  // namespace braid::cluster
