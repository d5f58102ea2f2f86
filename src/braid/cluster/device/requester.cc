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
      log_(options.log),
      stall_watch_(options.exchange_limit),
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

void Requester::SelfMeasured(double macs_per_second, int requests_for_peers) {
  coordinator_.SelfMeasured(macs_per_second, Now(), requests_for_peers);
  Pump();
}

void Requester::Tick() {
  JudgeBlames();
  coordinator_.Tick(Now());
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
  // Half of the time that is left is kept for another attempt; what is expected to take long is
  // given twice as long.
  const TimePoint now = Now();
  const Duration left = request.deadline - now;
  const TimePoint slow_at =
      now + std::max({options_.exchange_limit, left / 2, 2 * std::min(action.estimate, left)});
  attempts_.emplace(std::piecewise_construct, std::forward_as_tuple(id),
                    std::forward_as_tuple(network_, action.point, action.placement, request.images,
                                          now, slow_at));
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
  std::set<DeviceId> stalled;
  if (const auto it = attempts_.find(id);
      it != attempts_.end() && requests_.at(id.first).deadline <= Now()) {
    AddStalled(id, it->second, &stalled);
  }
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
  DoWithout(stalled);
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

bool Requester::Uses(DeviceId peer) const {
  return std::ranges::any_of(coordinator_.Devices(),
                             [peer](const control::DeviceState& used) { return used.id == peer; });
}

int64_t Requester::StallsOf(DeviceId peer) const {
  const auto it = stalls_.find(peer);
  return it == stalls_.end() ? 0 : it->second;
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
