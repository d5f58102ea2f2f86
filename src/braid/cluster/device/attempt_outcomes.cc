// How attempts end: parts that come in, reports of what is missing, and the verdict on them.
#include <algorithm>

#include "braid/cluster/device/requester.h"

namespace braid::cluster {

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
  stall_watch_.OnDelivered(from, Now());
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

// Judges the attempts whose reports have had time to come in.
void Requester::JudgeBlames() {
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
}

void Requester::JudgeStalls() {
  const TimePoint now = Now();
  std::set<DeviceId> stalled;
  for (const auto& [id, attempt] : attempts_) {
    if (attempt.slow_at() <= now) AddStalled(id, attempt, &stalled);
  }
  DoWithout(stalled);
}

void Requester::AddStalled(const AttemptId& id, const Attempt& attempt,
                           std::set<DeviceId>* stalled) {
  if (verdicts_.contains(id)) return;  // a participant has said what it waits for
  std::vector<DeviceId> awaited = attempt.LastOfTheirTerms();
  for (const DeviceId device : sessions_->AwaitedBy(KeyOf(id))) awaited.push_back(device);
  const TimePoint since = std::max(attempt.started(), membership_->stalled_until());
  for (const DeviceId device : awaited) {
    if (device == self_ || !membership_->Reachable(device)) continue;
    if (stall_watch_.WaitedInVain(device, since, Now())) stalled->insert(device);
  }
}

void Requester::DoWithout(const std::set<DeviceId>& stalled) {
  for (const DeviceId device : stalled) {
    ++stalls_[device];
    log_.Log("stalls " + NameOf(device),
             "'" + NameOf(device) + "' stalls: it answers pings and delivers nothing", Now());
    coordinator_.PeerStalled(device, Now());
  }
  Pump();
}

// The peer had nothing to do when a ping of `pinged` reached it. Links are in order, so a start
// sent before that ping was lost, and so were its partial sums unless they came before the pong.
void Requester::FailLostAt(DeviceId peer, TimePoint pinged) {
  std::vector<AttemptId> lost;
  for (const auto& [id, attempt] : attempts_) {
    // A frame may overtake others where a second connection takes over from a first; hence the
    // ping interval.
    if (attempt.started() + options_.ping_interval > pinged) continue;
    // Somebody has said what this attempt fails of: perhaps the peer, which is idle since it could
    // not begin. Nothing was lost between it and here; the verdict is due.
    if (verdicts_.contains(id)) continue;
    if (attempt.Owes(peer)) lost.push_back(id);
  }
  for (const AttemptId& id : lost) {
    if (attempts_.contains(id)) Fail(id, AttemptFailure::kBrokenLink, self_, peer);
  }
}

}  // namespace braid::cluster
