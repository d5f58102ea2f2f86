#include "braid/cluster/device/requester.h"

#include <algorithm>

#include "braid/base/check.h"
#include "braid/cluster/device/start_check.h"

namespace braid::cluster {
namespace {

// More than what surrounds the pixels in a Start: kMaxAssignments of 16 bytes and a few numbers.
constexpr size_t kStartOverheadBytes = 8192;

}  // namespace

Requester::Requester(const model::Network& network, const DeviceOptions& options, DeviceId self,
                     control::Controller* controller, Membership* membership,
                     SessionTable* sessions, Transport* transport,
                     std::function<void(TimePoint)> wake_at)
    : network_(network),
      options_(options),
      self_(self),
      membership_(membership),
      sessions_(sessions),
      transport_(transport),
      wake_at_(std::move(wake_at)),
      bounds_(network),
      coordinator_(self, options.share, controller, options.coordinator) {}

void Requester::Submit(InferRequest request, TimePoint submitted, Device::Done done) {
  const int images = request.constraints.images;
  if (images < 1 || images > options_.max_batch) {
    done(InvalidArgument("images: " + std::to_string(images) + ", allowed 1 to " +
                         std::to_string(options_.max_batch)));
    return;
  }
  if (request.pixels.size() !=
      static_cast<uint64_t>(images) * static_cast<uint64_t>(ImageBytes(network_))) {
    done(InvalidArgument("pixels: " + std::to_string(request.pixels.size()) + " bytes, expected " +
                         std::to_string(images * ImageBytes(network_))));
    return;
  }
  if (request.pixels.size() > kMaxPayloadBytes - kStartOverheadBytes) {
    done(InvalidArgument("pixels: more than a frame between devices can hold"));
    return;
  }
  const RequestId id{next_request_++};
  Request& state = requests_[id];
  state.pixels = std::make_shared<const std::vector<uint8_t>>(std::move(request.pixels));
  state.images = images;
  state.submitted = submitted;
  state.deadline =
      submitted + request.constraints.remaining.value_or(options_.coordinator.default_deadline);
  state.done = std::move(done);
  coordinator_.Submit(id, request.constraints, state.deadline, Now());
  Pump();
}

void Requester::PeerUp(const PeerInfo& peer) {
  coordinator_.PeerUp(peer, Now());
  Pump();
}
void Requester::PeerDown(DeviceId peer) {
  coordinator_.PeerDown(peer, Now());
  Pump();
}
void Requester::PeerSilent(DeviceId peer) {
  coordinator_.PeerSilent(peer, Now());
  Pump();
}
void Requester::PeerHeard(DeviceId peer) {
  coordinator_.PeerHeard(peer, Now());
  Pump();
}
void Requester::PeerMeasured(DeviceId peer, Duration round_trip, TimePoint pinged,
                             const Pong& pong) {
  coordinator_.PeerMeasured(peer, round_trip,
                            static_cast<int>(std::min(pong.requests_queued, 1u << 20)),
                            static_cast<double>(pong.macs_per_second), Now());
  Pump();
  if (pong.requests_queued == 0) FailLostAt(peer, pinged);
}

// The peer had nothing to do when a ping of `pinged` reached it. Links are in order, so a start
// sent before that ping was lost, and so were its partial sums unless they came before the pong.
void Requester::FailLostAt(DeviceId peer, TimePoint pinged) {
  std::vector<AttemptId> lost;
  for (const auto& [id, attempt] : attempts_) {
    // A frame may overtake others where a second connection takes over from a first; hence the
    // ping interval.
    if (attempt.started() + options_.ping_interval > pinged) continue;
    if (attempt.Owes(peer)) lost.push_back(id);
  }
  for (const AttemptId& id : lost) {
    if (attempts_.contains(id)) Fail(id, AttemptFailure::kBrokenLink, self_, peer);
  }
}
void Requester::SelfMeasured(double macs_per_second, int requests_for_peers) {
  coordinator_.SelfMeasured(macs_per_second, Now(), requests_for_peers);
  Pump();
}

void Requester::Tick() {
  const TimePoint now = Now();
  std::vector<AttemptId> due;
  for (const auto& [id, at] : verdicts_) {
    if (at <= now) due.push_back(id);
  }
  for (const AttemptId& id : due) {
    verdicts_.erase(id);
    const auto attempt = attempts_.find(id);
    if (attempt == attempts_.end()) continue;
    const std::vector<Attempt::Blame> blames = attempt->second.EarliestBlames();
    // All of them first, so that the next attempt avoids every link that is known to be cut.
    for (const Attempt::Blame& blame : blames) {
      if (attempt->second.ShareTerm(blame.reporter, blame.culprit)) {
        coordinator_.LinkBroken(blame.reporter, blame.culprit, now);
      }
    }
    coordinator_.AttemptFailed(id.first, id.second, AttemptFailure::kBrokenLink,
                               blames.front().reporter, blames.front().culprit, now);
  }
  coordinator_.Tick(now);
  Pump();
}

void Requester::Pump() {
  if (pumping_) return;  // the loop below takes what an action caused
  pumping_ = true;
  for (auto actions = coordinator_.TakeActions(); !actions.empty();
       actions = coordinator_.TakeActions()) {
    for (Action& action : actions) {
      std::visit([this](auto& concrete) { Perform(concrete); }, action);
    }
  }
  pumping_ = false;
  // All that is due is asked for again each time: of several wishes the loop keeps the earliest.
  if (const auto next = coordinator_.NextTick()) wake_at_(*next);
  for (const auto& [id, at] : verdicts_) wake_at_(at);
}

void Requester::Perform(StartAttempt& action) {
  const AttemptId id{action.request, action.attempt};
  const Request& request = requests_.at(action.request);
  BRAID_CHECK(CheckPlacement(network_, action.point, action.placement).ok());
  attempts_.emplace(
      std::piecewise_construct, std::forward_as_tuple(id),
      std::forward_as_tuple(network_, action.point, action.placement, request.images, Now()));
  SendStart(action, request);
  const bool own_part = std::ranges::find(action.placement, self_, &control::Assignment::device) !=
                        action.placement.end();
  if (!own_part) return;
  DeviceId absent{};
  const Status opened = sessions_->Open({.key = KeyOf(id),
                                         .requester = self_,
                                         .point = action.point,
                                         .images = request.images,
                                         .placement = action.placement,
                                         .deadline = request.deadline,
                                         .pixels = request.pixels},
                                        *membership_, &absent);
  if (!opened.ok()) Fail(id, AttemptFailure::kBrokenLink, self_, absent);
}

void Requester::SendStart(const StartAttempt& action, const Request& request) {
  Frame frame;
  frame.kind = FrameKind::kStart;
  frame.key = KeyOf({action.request, action.attempt});
  std::vector<DeviceId> others;
  for (const control::Assignment& part : action.placement) {
    if (part.device != self_ && std::ranges::find(others, part.device) == others.end()) {
      others.push_back(part.device);
    }
  }
  if (others.empty()) return;
  const auto remaining = std::max(Duration{}, request.deadline - Now());
  frame.payload =
      EncodeStart({.point = static_cast<uint32_t>(action.point),
                   .images = static_cast<uint32_t>(request.images),
                   .remaining_us = static_cast<uint64_t>(
                       std::chrono::duration_cast<std::chrono::microseconds>(remaining).count()),
                   .placement = action.placement,
                   .pixels = *request.pixels});
  for (const DeviceId device : others) {
    const Membership::Peer* peer = membership_->FindUp(device);
    if (peer == nullptr) {
      Fail({action.request, action.attempt}, AttemptFailure::kBrokenLink, self_, device);
      return;
    }
    transport_->Send(peer->connection, frame);
  }
}

void Requester::Perform(AbortAttempt& action) {
  const AttemptId id{action.request, action.attempt};
  attempts_.erase(id);
  verdicts_.erase(id);
  sessions_->Close(KeyOf(id));
  for (const DeviceId device : action.participants) {
    const Membership::Peer* peer = membership_->FindUp(device);
    if (peer == nullptr) continue;
    Frame frame;
    frame.kind = FrameKind::kAbort;
    frame.key = KeyOf(id);
    transport_->Send(peer->connection, std::move(frame));
  }
}

void Requester::Perform(Answer& action) {
  const auto it = requests_.find(action.request);
  BRAID_CHECK(it != requests_.end());
  Request request = std::move(it->second);
  requests_.erase(it);
  InferResult result;
  result.images = request.images;
  result.logits = std::move(request.logits);
  result.classes = LargestOf(result.logits, request.images);
  result.point = action.point;
  for (const DeviceId device : action.devices) result.devices.push_back(NameOf(device));
  result.macs = network_.points[static_cast<size_t>(action.point)].macs_worst;
  result.failovers = action.failovers;
  result.elapsed = Now() - request.submitted;
  request.done(std::move(result));
}

void Requester::Perform(Reject& action) {
  const auto it = requests_.find(action.request);
  BRAID_CHECK(it != requests_.end());
  const Device::Done done = std::move(it->second.done);
  requests_.erase(it);
  done(action.status);
}

void Requester::OwnPartDone(const AttemptKey& key, int term, const std::vector<int32_t>& sums) {
  const auto id = Current(key);
  if (!id) return;
  attempts_.at(*id).Add(self_, term, sums);
  FinishIfComplete(*id);
}

void Requester::OwnPartFailed(const AttemptKey& key, const Status& reason) {
  (void)reason;
  if (const auto id = Current(key)) Fail(*id, AttemptFailure::kPeerRefused, self_, self_);
}

void Requester::OwnPartMissesMap(const MissingMap& missing) {
  if (const auto id = Current(missing.key)) {
    AddBlame(*id, {self_, missing.culprit, missing.layer});
  }
}

Status Requester::OnLogits(DeviceId from, const Frame& frame) {
  if (frame.key.requester != static_cast<uint64_t>(self_)) {
    return InvalidArgument("logits: of another requester");
  }
  const auto id = Current(frame.key);
  if (!id) return OkStatus();  // stale
  Attempt& attempt = attempts_.at(*id);
  const auto local = attempt.Owed(from, frame.term);
  if (!local) return InvalidArgument("logits: not owed");
  if (frame.decision_digest != 0) {  // no operating point of wire version 1 takes decisions
    Fail(*id, AttemptFailure::kMismatch, self_, from);
    return OkStatus();
  }
  const model::LayerIndex head = network_.points[static_cast<size_t>(attempt.point())].head;
  BRAID_ASSIGN_OR_RETURN(const auto sums,
                         bounds_.Decode(head, *local, attempt.images(), frame.payload));
  attempt.Add(from, frame.term, sums);
  FinishIfComplete(*id);
  return OkStatus();
}

Status Requester::OnFailed(DeviceId from, const Frame& frame) {
  BRAID_ASSIGN_OR_RETURN(const Failed failed, DecodeFailed(frame.payload));
  if (frame.key.requester != static_cast<uint64_t>(self_)) {
    return InvalidArgument("failed: of another requester");
  }
  const auto id = Current(frame.key);
  if (!id) return OkStatus();  // stale
  const Attempt& attempt = attempts_.at(*id);
  const DeviceId culprit{failed.culprit};
  if (!attempt.Participates(from)) return InvalidArgument("failed: not a participant");
  switch (static_cast<AttemptFailure>(failed.failure)) {
    case AttemptFailure::kPeerRefused:
      Fail(*id, AttemptFailure::kPeerRefused, from, from);
      return OkStatus();
    case AttemptFailure::kBrokenLink:
      if (culprit == from || (culprit != self_ && !attempt.Participates(culprit))) break;
      AddBlame(*id, {from, culprit, frame.layer});
      return OkStatus();
    case AttemptFailure::kMismatch:
      if (!attempt.Participates(culprit)) break;
      Fail(*id, AttemptFailure::kMismatch, from, culprit);
      return OkStatus();
    case AttemptFailure::kPeerSilent:
      break;  // the requester alone judges silence
  }
  return InvalidArgument("failed: a report that makes no sense");
}

void Requester::FinishIfComplete(const AttemptId& id) {
  const auto it = attempts_.find(id);
  if (!it->second.complete()) return;
  requests_.at(id.first).logits = it->second.Finish();
  attempts_.erase(it);
  verdicts_.erase(id);
  coordinator_.AttemptFinished(id.first, id.second, Now());
  Pump();
}

void Requester::AddBlame(const AttemptId& id, const Attempt::Blame& blame) {
  if (!attempts_.at(id).AddBlame(blame)) return;
  // A participant notices at its next tick, a ping interval apart at most; and when the culprit
  // died, the requester sees that itself by then and suspects nobody's link.
  const TimePoint at = Now() + 2 * options_.ping_interval;
  verdicts_[id] = at;
  wake_at_(at);
}

void Requester::Fail(const AttemptId& id, AttemptFailure failure, DeviceId reporter,
                     DeviceId culprit) {
  coordinator_.AttemptFailed(id.first, id.second, failure, reporter, culprit, Now());
  Pump();
}

std::optional<Requester::AttemptId> Requester::Current(const AttemptKey& key) const {
  if (key.requester != static_cast<uint64_t>(self_) || key.incarnation != options_.incarnation) {
    return std::nullopt;
  }
  const AttemptId id{RequestId{key.request}, key.attempt};
  if (!attempts_.contains(id)) return std::nullopt;
  return id;
}

AttemptKey Requester::KeyOf(const AttemptId& id) const {
  return {.requester = static_cast<uint64_t>(self_),
          .incarnation = options_.incarnation,
          .request = static_cast<uint64_t>(id.first),
          .attempt = id.second};
}

std::string Requester::NameOf(DeviceId device) const {
  if (device == self_) return options_.name;
  const auto peer = membership_->peers().find(device);
  return peer == membership_->peers().end() ? "?" : peer->second.name;
}

void Requester::RejectAll(const Status& status) {
  std::map<RequestId, Request> requests;
  requests.swap(requests_);
  for (auto& [id, request] : requests) request.done(status);
}

}  // namespace braid::cluster
