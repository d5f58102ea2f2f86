#include "braid/cluster/device/session_table.h"

#include <algorithm>

namespace braid::cluster {
namespace {

// A busy peer's map may be late by this many limits: then it is lost, whatever else comes in.
constexpr int kMostLimits = 2;

}  // namespace

Status SessionTable::Open(Participation participation, const Membership& membership,
                          DeviceId* absent) {
  const model::OperatingPoint& point = network_.points[static_cast<size_t>(participation.point)];
  const Membership::Peer* requester = membership.FindUp(participation.requester);
  Entry entry;
  for (const control::Assignment& mine : participation.placement) {
    if (mine.device != self_) continue;
    SessionSpec spec;
    spec.key = participation.key;
    spec.term = mine.term;
    spec.groups =
        network_.sub_networks[static_cast<size_t>(point.terms[static_cast<size_t>(mine.term)])]
            .groups;
    spec.local = mine.local;
    spec.head = point.head;
    spec.images = participation.images;
    spec.brief = IsBrief(point, participation.images);
    spec.pixels = participation.pixels;
    if (participation.requester != self_) {
      if (requester == nullptr) {
        *absent = participation.requester;
        return NotFound("the requester is gone");
      }
      spec.requester = requester->connection;
    }
    Part part;
    part.term = mine.term;
    for (const control::Assignment& other : participation.placement) {
      if (other.term != mine.term || other.device == self_) continue;
      if (!membership.Reachable(other.device)) {
        *absent = other.device;
        return NotFound("a participant is not connected");
      }
      part.peers[other.device] = other.local;
      spec.peers.push_back(membership.FindUp(other.device)->connection);
    }
    part.session = std::make_shared<Session>(context_, std::move(spec));
    entry.parts.push_back(std::move(part));
  }
  const AttemptKey key = participation.key;
  entry.participation = std::move(participation);
  open_sessions_ += static_cast<int>(entry.parts.size());
  Entry& opened = entries_.emplace(key, std::move(entry)).first->second;
  for (Part& part : opened.parts) part.session->Begin();
  for (EarlyMaps::Map& map : early_.Take(key)) {
    const Membership::Peer* from = membership.FindUp(map.from);
    if (from == nullptr) continue;  // lost since: the attempt will be run again
    const Status status = DeliverTo(opened, map.from, from->connection, std::move(map.frame));
    if (status.ok()) continue;
    const ReceivedMap refused{.from = map.from,
                              .connection = from->connection,
                              .layer = map.frame.layer,
                              .group = map.frame.group,
                              .bytes = {}};
    context_.transport->Post([loop = context_.loop, key, refused, status] {
      loop->Enter([&](SessionEvents& events) { events.MapRefused(key, refused, status); });
    });
  }
  return OkStatus();
}

// The whole point's work: of a shared one it is more than this device's part, never less.
bool SessionTable::IsBrief(const model::OperatingPoint& point, int images) const {
  if (macs_per_second_ <= 0) return false;
  const double seconds =
      static_cast<double>(point.macs_worst) * static_cast<double>(images) / macs_per_second_;
  return seconds <= std::chrono::duration<double>(context_.brief_work).count();
}

int SessionTable::CountOf(DeviceId requester) const {
  return static_cast<int>(std::ranges::count_if(entries_, [requester](const auto& entry) {
    return entry.second.participation.requester == requester;
  }));
}

int SessionTable::open_for_peers() const {
  return static_cast<int>(entries_.size()) - CountOf(self_);
}

std::vector<DeviceId> SessionTable::AwaitedBy(const AttemptKey& key) const {
  std::vector<DeviceId> awaited;
  const auto it = entries_.find(key);
  if (it == entries_.end()) return awaited;
  for (const Part& part : it->second.parts) {
    const auto waiting = part.ended ? std::nullopt : part.session->waiting();
    if (!waiting) continue;
    for (const auto& [device, local] : part.peers) {
      if (!(waiting->missing & local).empty()) awaited.push_back(device);
    }
  }
  return awaited;
}

const SessionTable::Participation* SessionTable::Find(const AttemptKey& key) const {
  const auto it = entries_.find(key);
  return it == entries_.end() ? nullptr : &it->second.participation;
}

Status SessionTable::Deliver(DeviceId from, ConnectionId connection, Frame frame, TimePoint now) {
  map_heard_[from] = now;
  const auto it = entries_.find(frame.key);
  if (it != entries_.end()) return DeliverTo(it->second, from, connection, std::move(frame));
  early_.Put(from, std::move(frame), now);
  return OkStatus();
}

Status SessionTable::DeliverTo(Entry& entry, DeviceId from, ConnectionId connection, Frame frame) {
  const auto part = std::ranges::find(entry.parts, static_cast<int>(frame.term), &Part::term);
  if (part == entry.parts.end()) return InvalidArgument("map: no such term here");
  const auto peer = part->peers.find(from);
  if (peer == part->peers.end() || frame.group >= kMaxGroups ||
      !peer->second.Contains(frame.group)) {
    return InvalidArgument("map: a group that the sender does not compute");
  }
  const model::LayerIndex layer = frame.layer;
  if (static_cast<size_t>(layer) >= network_.layers.size() ||
      !network_.layers[static_cast<size_t>(layer)].Divided()) {
    return InvalidArgument("map: no divided layer");
  }
  const model::Layer& shape = network_.layers[static_cast<size_t>(layer)];
  const int64_t bytes = int64_t{entry.participation.images} * shape.out_h * shape.out_w *
                        shape.group_channels[frame.group];
  if (static_cast<int64_t>(frame.payload.size()) != bytes) {
    return InvalidArgument("map: not the size of the group's map");
  }
  if (!part->received.emplace(layer, frame.group).second) {
    return InvalidArgument("map: sent twice");
  }
  if (!part->ended) {
    part->session->Deliver({from, connection, layer, frame.group, std::move(frame.payload)});
  }
  return OkStatus();
}

void SessionTable::SessionEnded(const AttemptKey& key, int term) {
  const auto it = entries_.find(key);
  if (it == entries_.end()) return;
  bool all = true;
  for (Part& part : it->second.parts) {
    if (part.term == term && !part.ended) {
      part.ended = true;
      --open_sessions_;
    }
    all = all && part.ended;
  }
  if (all) Erase(it);
}

void SessionTable::Close(const AttemptKey& key) {
  const auto it = entries_.find(key);
  if (it == entries_.end()) {
    early_.MarkOver(key);
  } else {
    Erase(it);
  }
}

void SessionTable::Erase(std::map<AttemptKey, Entry>::iterator entry) {
  for (Part& part : entry->second.parts) {
    if (part.ended) continue;
    part.session->Cancel();
    --open_sessions_;
  }
  early_.MarkOver(entry->first);
  entries_.erase(entry);
}

void SessionTable::DropDevice(DeviceId gone) {
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto next = std::next(it);
    if (it->second.participation.requester == gone) Erase(it);
    it = next;
  }
  early_.DropSender(gone);
  map_heard_.erase(gone);
}

void SessionTable::DropExpired(TimePoint now) {
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto next = std::next(it);
    if (it->second.participation.deadline <= now) Erase(it);
    it = next;
  }
  early_.DropOlderThanLimit(now);
}

std::vector<MissingMap> SessionTable::FindMissing(const Membership& membership, Duration limit,
                                                  TimePoint now) {
  std::vector<MissingMap> found;
  for (auto& [key, entry] : entries_) {
    for (Part& part : entry.parts) {
      if (part.ended || part.reported) continue;
      const auto waiting = part.session->waiting();
      if (!waiting) continue;
      for (const auto& [device, local] : part.peers) {
        if ((waiting->missing & local).empty()) continue;
        TimePoint since = std::max(waiting->since, membership.stalled_until());
        if (const auto heard = map_heard_.find(device); heard != map_heard_.end()) {
          since = std::max(since, heard->second);
        }
        const bool overdue = now - since > limit || now - waiting->since > kMostLimits * limit;
        if (membership.Reachable(device) && !overdue) continue;
        found.push_back({key, device, waiting->layer});
        part.reported = true;
      }
    }
  }
  return found;
}

}  // namespace braid::cluster
