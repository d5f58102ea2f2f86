// One file of a little over 500 lines: every event ends in the same few steps (expire, rerun, pump), and
// the rules between them are read together.
#include "braid/cluster/core/coordinator.h"

#include <algorithm>
#include <string>

#include "braid/base/check.h"

namespace braid::cluster {
namespace {

// Requests that wait for credit are passed over by later ones, but only so many at a time: a long
// queue must not be tried from end to end at every event.
constexpr int kPassedOver = 16;
// The longest time without a peer that stalls is 2^kMostDoublings penalties: each trial costs the
// requests that are then placed on it up to half of their time.
constexpr int kMostDoublings = 4;

// The devices of a placement, each once, in its order.
std::vector<DeviceId> DevicesOf(const control::Placement& placement) {
  std::vector<DeviceId> devices;
  for (const control::Assignment& assignment : placement) {
    if (std::find(devices.begin(), devices.end(), assignment.device) == devices.end()) {
      devices.push_back(assignment.device);
    }
  }
  return devices;
}

bool TakesPart(const control::Placement& placement, DeviceId device) {
  return std::any_of(placement.begin(), placement.end(),
                     [device](const control::Assignment& a) { return a.device == device; });
}

bool ShareTerm(const control::Placement& placement, DeviceId a, DeviceId b) {
  if (a == b) return false;
  for (const control::Assignment& first : placement) {
    for (const control::Assignment& second : placement) {
      if (first.term == second.term && first.device == a && second.device == b) return true;
    }
  }
  return false;
}

}  // namespace

Coordinator::Coordinator(DeviceId self, GroupSet share, control::Controller* controller,
                         CoordinatorOptions options)
    : self_(self), share_(share), controller_(controller), options_(options) {}

// ---- members of the group ----

void Coordinator::PeerUp(const PeerInfo& peer, TimePoint now) {
  if (peer.id == self_) return Tick(now);
  const auto it = peers_.find(peer.id);
  const bool reborn = it != peers_.end() && it->second.info.incarnation != peer.incarnation;
  if (reborn) peers_.erase(it);
  Expire(now);  // after the erasure: no abort is meant for the former life
  if (reborn) RerunAllWith(peer.id);
  const auto [known, is_new] = peers_.try_emplace(peer.id, Peer{.info = peer, .here_since = now});
  known->second.info = peer;
  if (is_new) ForgetBrokenLinksOf(peer.id);  // so are its connections to others
  Unblock();
  Pump(now);
}

void Coordinator::PeerDown(DeviceId peer, TimePoint now) {
  const bool was_up = peers_.erase(peer) > 0;
  Expire(now);  // after the erasure: no abort goes to who is gone
  if (was_up) {
    RerunAllWith(peer);
    // A blocked request may be refused for good now (strict accuracy), so it is tried again too.
    Unblock();
  }
  Pump(now);
}

void Coordinator::PeerSilent(DeviceId peer, TimePoint now) {
  Expire(now);
  Suspect(peer);
  Pump(now);
}

void Coordinator::PeerHeard(DeviceId peer, TimePoint now) {
  Expire(now);
  const auto it = peers_.find(peer);
  if (it != peers_.end() && it->second.silent) {
    it->second.silent = false;
    it->second.here_since = now;  // it may have to meet who came meanwhile
    ForgetBrokenLinksOf(peer);    // what others missed of it, it was silent to them for
    Unblock();
  }
  Pump(now);
}

void Coordinator::Suspect(DeviceId peer) {
  const auto it = peers_.find(peer);
  if (it == peers_.end() || it->second.silent) return;
  it->second.silent = true;
  RerunAllWith(peer);
  Unblock();
}

void Coordinator::PeerStalled(DeviceId peer, TimePoint now) {
  Expire(now);
  const auto it = peers_.find(peer);
  if (it != peers_.end() && !it->second.stalled_until.has_value()) {
    const int doublings = std::min(it->second.stalls++, kMostDoublings);
    it->second.stalled_until = now + options_.stall_penalty * (1 << doublings);
    for (auto& [id, request] : requests_) {
      if (request.phase != RequestView::Phase::kRunning || !TakesPart(request.placement, peer)) {
        continue;
      }
      request.avoided.insert(peer);  // also when it is back at once as a new life
      Rerun(id, request);
    }
    Unblock();
  }
  Pump(now);
}

void Coordinator::PeerMeasured(DeviceId peer, Duration round_trip, int requests_queued,
                               double macs_per_second, TimePoint now) {
  Expire(now);
  const auto it = peers_.find(peer);
  if (it != peers_.end()) {
    // A peer's word, so nothing that estimates could choke on is taken from it.
    it->second.round_trip = std::max(round_trip, Duration::zero());
    it->second.requests_queued = std::clamp(requests_queued, 0, 1 << 20);
    it->second.macs_per_second = macs_per_second > 0 ? std::clamp(macs_per_second, 1e3, 1e18) : 0.0;
  }
  Pump(now);
}

void Coordinator::SelfMeasured(double macs_per_second, TimePoint now, int requests_for_peers) {
  Expire(now);
  self_macs_per_second_ = macs_per_second;
  requests_for_peers_ = requests_for_peers;
  Pump(now);
}

void Coordinator::ForgetBrokenLinksOf(DeviceId device) {
  std::erase_if(broken_links_, [device](const auto& broken) {
    return broken.first.first == device || broken.first.second == device;
  });
}

void Coordinator::BreakLink(DeviceId a, DeviceId b, TimePoint now) {
  Duration penalty = options_.broken_link_penalty;
  for (const DeviceId device : {a, b}) {
    const auto peer = peers_.find(device);
    if (peer != peers_.end()) penalty = std::min(penalty, now - peer->second.here_since);
  }
  TimePoint& until = broken_links_[Link(std::min(a, b), std::max(a, b))];
  until = std::max(until, now + std::max(penalty, options_.refusal_backoff));
}

// ---- requests ----

void Coordinator::Submit(RequestId id, const control::Constraints& constraints,
                         std::optional<TimePoint> deadline, TimePoint now) {
  Expire(now);
  const auto [it, inserted] = requests_.try_emplace(id);
  BRAID_CHECK(inserted) << "request " << static_cast<uint64_t>(id) << " was submitted before";
  Request& request = it->second;
  request.order = next_order_++;
  request.constraints = constraints;
  request.deadline = deadline.value_or(now + options_.default_deadline);
  if (request.deadline > now) {
    deadlines_.emplace(request.deadline, id);
    queue_.emplace(request.order, id);
  } else {
    actions_.emplace_back(Reject{id, DeadlineExceeded("the deadline passed before the start")});
    requests_.erase(it);
  }
  Pump(now);
}

void Coordinator::Cancel(RequestId id, TimePoint now) {
  Expire(now);
  const auto it = requests_.find(id);
  if (it != requests_.end()) {
    RejectAndClose(it, Status(StatusCode::kCancelled, "cancelled by the caller"));
  }
  Pump(now);
}

void Coordinator::AttemptFinished(RequestId id, uint32_t attempt, TimePoint now) {
  Expire(now);
  const auto it = requests_.find(id);
  if (it != requests_.end() && it->second.phase == RequestView::Phase::kRunning &&
      it->second.attempt == attempt) {
    Request& request = it->second;
    actions_.emplace_back(Answer{id, attempt, request.point, static_cast<int>(attempt),
                                 DevicesOf(request.placement)});
    Release(request);
    for (const DeviceId device : DevicesOf(request.placement)) {
      if (const auto peer = peers_.find(device); peer != peers_.end()) peer->second.stalls = 0;
    }
    Close(it);
  }
  Pump(now);
}

void Coordinator::AttemptFailed(RequestId id, uint32_t attempt, AttemptFailure failure,
                                DeviceId reporter, DeviceId culprit, TimePoint now) {
  Expire(now);
  const auto it = requests_.find(id);
  if (it == requests_.end() || it->second.phase != RequestView::Phase::kRunning ||
      it->second.attempt != attempt) {
    Pump(now);
    return;
  }
  Request& request = it->second;
  // A report is believed about the attempt's own participants only; otherwise one confused device
  // could have any other one suspected.
  if (!TakesPart(request.placement, culprit)) culprit = reporter;
  switch (failure) {
    case AttemptFailure::kPeerSilent:
      if (reporter == self_ && culprit != self_) {
        Suspect(culprit);  // re-runs this attempt among others
        break;
      }
      [[fallthrough]];  // a third device does not hear it: that is between the two
    case AttemptFailure::kBrokenLink:
      if (ShareTerm(request.placement, reporter, culprit)) {
        BreakLink(reporter, culprit, now);
      } else {  // no other placement of the two would help: do without the culprit
        request.avoided.insert(culprit);
      }
      break;
    case AttemptFailure::kPeerRefused:
      request.avoided.insert(culprit);
      break;
    case AttemptFailure::kMismatch:
      // Which of the two decided wrongly is not known; this device trusts itself.
      request.avoided.insert(culprit == self_ ? reporter : culprit);
      break;
  }
  if (request.phase == RequestView::Phase::kRunning) Rerun(id, request);
  Pump(now);
}

void Coordinator::LinkBroken(DeviceId a, DeviceId b, TimePoint now) {
  Expire(now);
  BreakLink(a, b, now);
  Pump(now);
}

void Coordinator::Tick(TimePoint now) {
  Expire(now);
  Pump(now);
}

// ---- the life of an attempt ----

void Coordinator::Expire(TimePoint now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const auto it = requests_.find(deadlines_.begin()->second);
    const Request& request = it->second;
    Status status;
    switch (request.phase) {
      case RequestView::Phase::kQueued:
        status = DeadlineExceeded("the deadline passed while the request waited in the queue");
        break;
      case RequestView::Phase::kBlocked:
        status = request.reason.WithContext("until the deadline");
        break;
      case RequestView::Phase::kRunning:
        status = DeadlineExceeded("the deadline passed during attempt " +
                                  std::to_string(request.attempt));
        break;
    }
    RejectAndClose(it, std::move(status));
  }
  bool repaired =
      std::erase_if(broken_links_, [now](const auto& link) { return link.second <= now; }) > 0;
  for (auto& [id, peer] : peers_) {
    if (!peer.stalled_until.has_value() || *peer.stalled_until > now) continue;
    peer.stalled_until.reset();
    repaired = true;
  }
  while (!retries_.empty() && retries_.begin()->first <= now) {
    const RequestId id = retries_.begin()->second;
    retries_.erase(retries_.begin());
    Request& request = requests_.at(id);
    request.retry_at.reset();
    request.avoided.clear();
    request.phase = RequestView::Phase::kQueued;
    blocked_.erase(request.order);
    queue_.emplace(request.order, id);
  }
  if (repaired) Unblock();
}

void Coordinator::Unblock() {
  for (const auto& [order, id] : blocked_) {
    Request& request = requests_.at(id);
    request.phase = RequestView::Phase::kQueued;
    if (request.retry_at.has_value()) retries_.erase({*request.retry_at, id});
    request.retry_at.reset();
  }
  queue_.merge(blocked_);
}

void Coordinator::Pump(TimePoint now) {
  int passed_over = 0;
  auto next = queue_.begin();
  while (next != queue_.end() && running_ < options_.max_in_flight && passed_over < kPassedOver) {
    const auto [order, id] = *next;
    const auto it = requests_.find(id);
    switch (TryStart(id, it->second, now)) {
      case Start::kStarted:
        next = queue_.erase(next);
        break;
      case Start::kBlocked:
        blocked_.emplace(order, id);
        next = queue_.erase(next);
        break;
      case Start::kNoCredit:
        ++passed_over;
        ++next;
        break;
      case Start::kRejected:
        next = queue_.erase(next);
        Close(it);
        break;
    }
  }
}

Coordinator::Start Coordinator::TryStart(RequestId id, Request& request, TimePoint now) {
  Result<control::Choice> choice = Choose(request, Filter::kWillingWithCredit, now);
  if (choice.ok()) {
    Run(id, request, std::move(choice).value());
    return Start::kStarted;
  }
  // Would it do with the devices that are only busy, or only unwilling? The controller is not asked
  // the same twice: it may have a memory, and answer otherwise.
  const bool credit_matters = std::any_of(peers_.begin(), peers_.end(), [&](const auto& entry) {
    const Peer& peer = entry.second;
    return peer.usable() && !request.avoided.contains(entry.first) &&
           peer.running >= peer.info.credit;
  });
  if (credit_matters || !request.avoided.empty()) {
    Result<control::Choice> in_full = Choose(request, Filter::kAll, now);
    if (in_full.ok() && credit_matters &&
        (request.avoided.empty() || Choose(request, Filter::kWilling, now).ok())) {
      return Start::kNoCredit;
    }
    if (in_full.ok()) {
      request.retry_at = now + options_.refusal_backoff;
      retries_.emplace(*request.retry_at, id);
    } else {
      choice = std::move(in_full);
    }
  }
  if (choice.status().code() != StatusCode::kUnavailable && !request.retry_at.has_value()) {
    actions_.emplace_back(Reject{id, choice.status()});
    return Start::kRejected;
  }
  request.reason = choice.status();
  request.phase = RequestView::Phase::kBlocked;
  return Start::kBlocked;
}

Result<control::Choice> Coordinator::Choose(const Request& request, Filter filter, TimePoint now) {
  const bool willing = filter == Filter::kWilling || filter == Filter::kWillingWithCredit;
  const bool with_credit = filter == Filter::kWillingWithCredit;
  std::vector<control::DeviceState> devices;
  devices.reserve(peers_.size() + 1);
  if (!willing || !request.avoided.contains(self_)) devices.push_back(SelfState());
  for (const auto& [id, peer] : peers_) {
    if (!peer.usable() || (willing && request.avoided.contains(id)) ||
        (with_credit && peer.running >= peer.info.credit)) {
      continue;
    }
    devices.push_back(PeerState(peer));
  }
  std::vector<Link> broken;
  for (const auto& [link, until] : broken_links_) broken.push_back(link);
  control::Constraints constraints = request.constraints;
  constraints.remaining = request.deadline - now;
  return controller_->Choose(constraints, devices, broken);
}

void Coordinator::Run(RequestId id, Request& request, control::Choice choice) {
  request.phase = RequestView::Phase::kRunning;
  request.point = choice.point;
  request.placement = std::move(choice.placement);
  ++running_;
  for (const DeviceId device : DevicesOf(request.placement)) {
    if (device == self_) {
      ++running_here_;
    } else {
      ++peers_.at(device).running;
    }
  }
  actions_.emplace_back(StartAttempt{id, request.attempt, request.point, request.placement,
                                     choice.estimate});
}

void Coordinator::Release(const Request& request) {
  --running_;
  for (const DeviceId device : DevicesOf(request.placement)) {
    if (device == self_) {
      --running_here_;
    } else if (const auto it = peers_.find(device); it != peers_.end()) {
      --it->second.running;
    }
  }
}

void Coordinator::Abort(RequestId id, Request& request) {
  AbortAttempt abort{id, request.attempt, {}};
  for (const DeviceId device : DevicesOf(request.placement)) {
    if (peers_.contains(device)) abort.participants.push_back(device);
  }
  actions_.emplace_back(std::move(abort));
  Release(request);
  request.placement.clear();
}

void Coordinator::Rerun(RequestId id, Request& request) {
  Abort(id, request);
  ++request.attempt;
  request.phase = RequestView::Phase::kQueued;
  queue_.emplace(request.order, id);  // by arrival: ahead of what came later
}

void Coordinator::RerunAllWith(DeviceId peer) {
  for (auto& [id, request] : requests_) {
    if (request.phase == RequestView::Phase::kRunning && TakesPart(request.placement, peer)) {
      Rerun(id, request);
    }
  }
}

void Coordinator::RejectAndClose(RequestMap::iterator it, Status status) {
  if (it->second.phase == RequestView::Phase::kRunning) Abort(it->first, it->second);
  actions_.emplace_back(Reject{it->first, std::move(status)});
  Close(it);
}

void Coordinator::Close(RequestMap::iterator it) {
  const RequestId id = it->first;
  const Request& request = it->second;
  deadlines_.erase({request.deadline, id});
  if (request.retry_at.has_value()) retries_.erase({*request.retry_at, id});
  queue_.erase(request.order);
  blocked_.erase(request.order);
  requests_.erase(it);
}

// ---- outputs ----

std::vector<Action> Coordinator::TakeActions() { return std::exchange(actions_, {}); }

std::optional<TimePoint> Coordinator::NextTick() const {
  std::optional<TimePoint> next;
  const auto consider = [&next](TimePoint at) {
    next = next.has_value() ? std::min(*next, at) : at;
  };
  if (!deadlines_.empty()) consider(deadlines_.begin()->first);
  if (!retries_.empty()) consider(retries_.begin()->first);
  for (const auto& [link, until] : broken_links_) consider(until);
  for (const auto& [id, peer] : peers_) {
    if (peer.stalled_until.has_value()) consider(*peer.stalled_until);
  }
  return next;
}

control::DeviceState Coordinator::SelfState() const {
  return {.id = self_,
          .self = true,
          .share = share_,
          .requests_queued = running_here_ + requests_for_peers_,
          .macs_per_second = self_macs_per_second_};
}

control::DeviceState Coordinator::PeerState(const Peer& peer) const {
  // What a peer reports is a round trip old: what we have there ourselves is known better.
  return {.id = peer.info.id,
          .share = peer.info.share,
          .round_trip = peer.round_trip,
          .requests_queued = std::max(peer.requests_queued, peer.running),
          .macs_per_second = peer.macs_per_second};
}

std::vector<control::DeviceState> Coordinator::Devices() const {
  std::vector<control::DeviceState> devices = {SelfState()};
  for (const auto& [id, peer] : peers_) {
    if (peer.usable()) devices.push_back(PeerState(peer));
  }
  return devices;
}

std::vector<RequestView> Coordinator::Requests() const {
  std::map<Order, RequestView> views;
  for (const auto& [id, request] : requests_) {
    views.emplace(request.order, RequestView{.request = id,
                                             .phase = request.phase,
                                             .attempt = request.attempt,
                                             .deadline = request.deadline,
                                             .retry_at = request.retry_at,
                                             .placement = request.placement});
  }
  std::vector<RequestView> in_order;
  for (auto& [order, view] : views) in_order.push_back(std::move(view));
  return in_order;
}

}  // namespace braid::cluster
