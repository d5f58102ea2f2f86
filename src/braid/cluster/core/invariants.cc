#include "braid/cluster/core/invariants.h"

#include <algorithm>

namespace braid::cluster {
namespace {

std::set<DeviceId> DevicesOf(const control::Placement& placement) {
  std::set<DeviceId> devices;
  for (const control::Assignment& assignment : placement) devices.insert(assignment.device);
  return devices;
}

}  // namespace

CheckedCoordinator::CheckedCoordinator(DeviceId self, GroupSet share,
                                       control::Controller* controller, CoordinatorOptions options,
                                       const model::Network* network)
    : coordinator_(self, share, controller, options),
      self_(self),
      share_(share),
      options_(options),
      network_(network) {}

void CheckedCoordinator::Violation(RequestId request, const std::string& what) {
  violations_.push_back("request " + std::to_string(static_cast<uint64_t>(request)) + ": " + what);
}

// ---- events ----

std::vector<Action> CheckedCoordinator::PeerUp(const PeerInfo& peer, TimePoint now) {
  const auto [it, is_new] = peers_.try_emplace(peer.id, Peer{peer, now});
  Peer& known = it->second;
  const bool reborn = is_new || known.info.incarnation != peer.incarnation;
  if (reborn) {
    known = {peer, now};
  } else {
    known.info = peer;
  }
  if (reborn) {
    reborn_ = peer.id;
    std::erase_if(broken_links_, [&peer](const auto& broken) {
      return broken.first.first == peer.id || broken.first.second == peer.id;
    });
  }
  coordinator_.PeerUp(peer, now);
  std::vector<Action> actions = Check(now);
  reborn_.reset();
  return actions;
}

std::vector<Action> CheckedCoordinator::PeerDown(DeviceId peer, TimePoint now) {
  peers_.erase(peer);
  coordinator_.PeerDown(peer, now);
  return Check(now);
}

std::vector<Action> CheckedCoordinator::PeerSilent(DeviceId peer, TimePoint now) {
  if (const auto it = peers_.find(peer); it != peers_.end()) it->second.silent = true;
  coordinator_.PeerSilent(peer, now);
  return Check(now);
}

std::vector<Action> CheckedCoordinator::PeerHeard(DeviceId peer, TimePoint now) {
  if (const auto it = peers_.find(peer); it != peers_.end()) {
    if (it->second.silent) {  // its maps were missing for that, not for a link
      std::erase_if(broken_links_, [peer](const auto& broken) {
        return broken.first.first == peer || broken.first.second == peer;
      });
      it->second.here_since = now;
    }
    it->second.silent = false;
  }
  coordinator_.PeerHeard(peer, now);
  return Check(now);
}

std::vector<Action> CheckedCoordinator::PeerStalled(DeviceId peer, TimePoint now) {
  EndStalls(now);
  if (const auto it = peers_.find(peer); it != peers_.end() && !it->second.stalled_until) {
    it->second.stalled_until = now + options_.stall_penalty * (1 << std::min(it->second.stalls, 4));
    ++it->second.stalls;
  }
  coordinator_.PeerStalled(peer, now);
  return Check(now);
}

std::vector<Action> CheckedCoordinator::PeerMeasured(DeviceId peer, Duration round_trip,
                                                     int requests_queued, double macs_per_second,
                                                     TimePoint now) {
  coordinator_.PeerMeasured(peer, round_trip, requests_queued, macs_per_second, now);
  return Check(now);
}

std::vector<Action> CheckedCoordinator::SelfMeasured(double macs_per_second, TimePoint now) {
  coordinator_.SelfMeasured(macs_per_second, now);
  return Check(now);
}

std::vector<Action> CheckedCoordinator::Submit(RequestId request,
                                               const control::Constraints& constraints,
                                               std::optional<TimePoint> deadline, TimePoint now) {
  ++submitted_;
  open_.emplace(request, 0);
  coordinator_.Submit(request, constraints, deadline, now);
  return Check(now);
}

std::vector<Action> CheckedCoordinator::Cancel(RequestId request, TimePoint now) {
  coordinator_.Cancel(request, now);
  std::vector<Action> actions = Check(now);
  if (open_.contains(request)) Violation(request, "is open after it was cancelled");
  return actions;
}

std::vector<Action> CheckedCoordinator::AttemptFinished(RequestId request, uint32_t attempt,
                                                        TimePoint now) {
  coordinator_.AttemptFinished(request, attempt, now);
  return Check(now, std::make_pair(request, attempt));
}

std::vector<Action> CheckedCoordinator::AttemptFailed(RequestId request, uint32_t attempt,
                                                      AttemptFailure failure, DeviceId reporter,
                                                      DeviceId culprit, TimePoint now) {
  // The deadline comes first: what is late is rejected, and its failures count no more.
  bool current = false;
  for (const RequestView& view : coordinator_.Requests()) {
    current |= view.request == request && view.attempt == attempt && view.deadline > now &&
               view.phase == RequestView::Phase::kRunning;
  }
  if (current) {
    const StartAttempt& start = running_.at(request);
    if (failure == AttemptFailure::kPeerSilent && reporter == self_ && culprit != self_) {
      const auto it = peers_.find(culprit);
      if (it != peers_.end() && DevicesOf(start.placement).contains(culprit)) {
        it->second.silent = true;
      }
    } else if ((failure == AttemptFailure::kBrokenLink || failure == AttemptFailure::kPeerSilent) &&
               ShareTerm(start, reporter, culprit)) {
      TimePoint& until = broken_links_[std::minmax(reporter, culprit)];
      until = std::max(until, now + Penalty(reporter, culprit, now));
    }
  }
  coordinator_.AttemptFailed(request, attempt, failure, reporter, culprit, now);
  return Check(now);
}

std::vector<Action> CheckedCoordinator::Tick(TimePoint now) {
  coordinator_.Tick(now);
  return Check(now);
}

// ---- checks ----

Duration CheckedCoordinator::Penalty(DeviceId a, DeviceId b, TimePoint now) const {
  Duration together = options_.broken_link_penalty;  // for as long as both have been here
  for (const auto& [id, peer] : peers_) {
    if (id == a || id == b) together = std::min(together, now - peer.here_since);
  }
  return std::max(together, options_.refusal_backoff);
}

bool CheckedCoordinator::ShareTerm(const StartAttempt& start, DeviceId a, DeviceId b) const {
  if (a == b) return false;
  std::set<int> terms;
  for (const control::Assignment& assignment : start.placement) {
    if (assignment.device == a) terms.insert(assignment.term);
  }
  return std::any_of(start.placement.begin(), start.placement.end(),
                     [&terms, b](const control::Assignment& assignment) {
                       return assignment.device == b && terms.contains(assignment.term);
                     });
}

void CheckedCoordinator::EndStalls(TimePoint now) {
  for (auto& [id, peer] : peers_) {
    if (peer.stalled_until.has_value() && *peer.stalled_until <= now) peer.stalled_until.reset();
  }
}

std::vector<Action> CheckedCoordinator::Check(TimePoint now, const Finished& finished) {
  EndStalls(now);
  std::erase_if(broken_links_, [now](const auto& link) { return link.second <= now; });
  std::vector<Action> actions = coordinator_.TakeActions();
  for (const Action& action : actions) {
    if (const auto* start = std::get_if<StartAttempt>(&action)) CheckStart(*start, now);
    if (const auto* abort = std::get_if<AbortAttempt>(&action)) CheckAbort(*abort);
    if (const auto* answer = std::get_if<Answer>(&action)) CheckAnswer(*answer, finished);
    if (const auto* reject = std::get_if<Reject>(&action)) CheckReject(*reject);
  }
  CheckState(now);
  return actions;
}

void CheckedCoordinator::CheckStart(const StartAttempt& start, TimePoint now) {
  const auto open = open_.find(start.request);
  if (open == open_.end()) return Violation(start.request, "starts but is not open");
  if (running_.contains(start.request)) Violation(start.request, "starts while it runs");
  if (start.attempt != open->second) Violation(start.request, "attempt number is not the next");
  running_[start.request] = start;
  if (start.point < 0 || start.point >= static_cast<int>(network_->points.size())) {
    return Violation(start.request, "no such point");
  }
  const std::vector<int>& terms = network_->points[static_cast<size_t>(start.point)].terms;
  std::vector<GroupSet> covered(terms.size());
  std::set<std::pair<DeviceId, int>> seen;
  for (const auto& [device, term, local] : start.placement) {
    if (term < 0 || term >= static_cast<int>(terms.size())) {
      return Violation(start.request, "no such term");
    }
    if (!seen.insert({device, term}).second) Violation(start.request, "a part is given twice");
    GroupSet& done = covered[static_cast<size_t>(term)];
    if (local.empty() || !(done & local).empty()) Violation(start.request, "bad set of groups");
    done = done | local;
    const auto peer = peers_.find(device);
    if (device != self_ && (peer == peers_.end() || !peer->second.usable())) {
      Violation(start.request, "is placed on a device that is not usable");
    } else if (!(device == self_ ? share_ : peer->second.info.share).ContainsAll(local)) {
      Violation(start.request, "is placed on a device that does not carry its groups");
    }
  }
  for (size_t t = 0; t < terms.size(); ++t) {
    if (covered[t] != network_->sub_networks[static_cast<size_t>(terms[t])].groups) {
      Violation(start.request, "a term is not covered exactly");
    }
  }
  for (const auto& [link, until] : broken_links_) {
    if (until > now && ShareTerm(start, link.first, link.second)) {
      Violation(start.request, "a broken link lies within a term");
    }
  }
}

void CheckedCoordinator::CheckAbort(const AbortAttempt& abort) {
  const auto it = running_.find(abort.request);
  if (it == running_.end() || it->second.attempt != abort.attempt) {
    return Violation(abort.request, "aborts an attempt that does not run");
  }
  std::set<DeviceId> expected = DevicesOf(it->second.placement);
  std::erase_if(expected, [this](DeviceId device) { return !peers_.contains(device); });
  const std::set<DeviceId> told(abort.participants.begin(), abort.participants.end());
  if (reborn_.has_value()) expected.erase(*reborn_);  // its former life needs no word
  if (std::set<DeviceId>(abort.participants.begin(), abort.participants.end()) != expected) {
    Violation(abort.request, "abort does not go to exactly the connected participants");
  }
  running_.erase(it);
  ++open_[abort.request];
}

void CheckedCoordinator::CheckAnswer(const Answer& answer, const Finished& finished) {
  const auto it = running_.find(answer.request);
  if (it == running_.end() || it->second.attempt != answer.attempt ||
      finished != std::make_pair(answer.request, answer.attempt)) {
    return Violation(answer.request, "is answered by an attempt that has not finished");
  }
  if (answer.point != it->second.point || answer.failovers != static_cast<int>(answer.attempt) ||
      std::set<DeviceId>(answer.devices.begin(), answer.devices.end()) !=
          DevicesOf(it->second.placement)) {
    Violation(answer.request, "the answer does not tell how it came about");
  }
  for (const DeviceId device : DevicesOf(it->second.placement)) {
    if (const auto peer = peers_.find(device); peer != peers_.end()) peer->second.stalls = 0;
  }
  running_.erase(it);
  open_.erase(answer.request);
  if (!closed_.insert(answer.request).second) Violation(answer.request, "is answered twice");
  ++answered_;
}

void CheckedCoordinator::CheckReject(const Reject& reject) {
  if (open_.erase(reject.request) == 0) Violation(reject.request, "rejected but not open");
  if (running_.contains(reject.request)) Violation(reject.request, "rejected while it runs");
  if (reject.status.ok()) Violation(reject.request, "rejected without a reason");
  if (!closed_.insert(reject.request).second) Violation(reject.request, "closed twice");
  ++rejected_;
}

void CheckedCoordinator::CheckState(TimePoint now) {
  std::map<DeviceId, int> credit_used;
  for (const auto& [id, start] : running_) {
    for (const DeviceId device : DevicesOf(start.placement)) {
      if (device == self_) continue;
      const auto peer = peers_.find(device);
      if (peer == peers_.end() || !peer->second.usable()) {
        Violation(id, "runs with a device that is gone or suspected, or that stalls");
      } else if (++credit_used[device] > peer->second.info.credit) {
        Violation(id, "exceeds a peer's credit");
      }
    }
  }
  if (static_cast<int>(running_.size()) > options_.max_in_flight) {
    Violation(RequestId{}, "more attempts run than max_in_flight");
  }
  const bool place_free = static_cast<int>(running_.size()) < options_.max_in_flight;
  const bool credit_free =
      std::all_of(peers_.begin(), peers_.end(), [&credit_used](const auto& peer) {
        const auto used = credit_used.find(peer.first);
        return (used == credit_used.end() ? 0 : used->second) < peer.second.info.credit;
      });
  std::set<RequestId> seen;
  const std::optional<TimePoint> tick = coordinator_.NextTick();
  for (const auto& [id, peer] : peers_) {
    if (peer.stalled_until.has_value() && (!tick.has_value() || *tick > *peer.stalled_until)) {
      Violation(RequestId{}, "nothing wakes the device to try a stalled peer again");
    }
  }
  for (const RequestView& view : coordinator_.Requests()) {
    if (!seen.insert(view.request).second) Violation(view.request, "is listed twice");
    if (!open_.contains(view.request)) Violation(view.request, "is listed but not open");
    if (view.deadline <= now) Violation(view.request, "is open past its deadline");
    if (!tick.has_value() || *tick > view.deadline) {
      Violation(view.request, "nothing wakes the device at the deadline");
    }
    if (view.retry_at.has_value() && (!tick.has_value() || *tick > *view.retry_at)) {
      Violation(view.request, "nothing wakes the device for the retry");
    }
    const bool runs = view.phase == RequestView::Phase::kRunning;
    if (runs != running_.contains(view.request)) Violation(view.request, "its phase is wrong");
    if (view.phase == RequestView::Phase::kQueued && place_free && credit_free) {
      Violation(view.request, "waits in the queue for nothing");
    }
  }
  if (seen.size() != open_.size() ||
      coordinator_.open_requests() != static_cast<int>(open_.size())) {
    Violation(RequestId{}, "a request was lost");
  }
  if (submitted_ != answered_ + rejected_ + static_cast<int>(open_.size())) {
    Violation(RequestId{}, "answers and rejections do not add up");
  }
}

}  // namespace braid::cluster
