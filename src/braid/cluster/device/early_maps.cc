#include "braid/cluster/device/early_maps.h"

namespace braid::cluster {
namespace {

// Frames of an attempt that ended arrive within a round trip; so many attempts later, none does.
constexpr size_t kMaxOver = 4096;
// What the header and the containers cost, so that empty maps are not free.
constexpr size_t kOverheadBytes = 128;

}  // namespace

bool EarlyMaps::Put(DeviceId from, Frame frame, TimePoint now) {
  if (IsOver(frame.key)) return false;
  const size_t bytes = frame.payload.size() + kOverheadBytes;
  if (bytes > limits_.bytes_per_sender) return false;
  while (true) {
    const Usage& usage = usage_[from];
    const bool fresh = !usage.bytes.contains(frame.key);
    const bool full =
        fresh && usage.bytes.size() >= static_cast<size_t>(limits_.attempts_per_sender);
    if (!full && usage.total + bytes <= limits_.bytes_per_sender) break;
    GiveUpOldestOf(from);
  }
  Usage& usage = usage_[from];
  usage.bytes[frame.key] += bytes;
  usage.total += bytes;
  const auto [it, fresh] = attempts_.try_emplace(frame.key);
  if (fresh) it->second.first = now;
  it->second.maps.push_back({from, std::move(frame)});
  return true;
}

std::vector<EarlyMaps::Map> EarlyMaps::Take(const AttemptKey& key) {
  const auto it = attempts_.find(key);
  if (it == attempts_.end()) return {};
  std::vector<Map> maps = std::move(it->second.maps);
  Erase(it);
  return maps;
}

void EarlyMaps::MarkOver(const AttemptKey& key) {
  if (const auto it = attempts_.find(key); it != attempts_.end()) Erase(it);
  if (!over_.insert(key).second) return;
  over_order_.push_back(key);
  if (over_order_.size() > kMaxOver) {
    over_.erase(over_order_.front());
    over_order_.pop_front();
  }
}

void EarlyMaps::DropSender(DeviceId from) {
  while (usage_.contains(from)) GiveUpOldestOf(from);
}

void EarlyMaps::DropOlderThanLimit(TimePoint now) {
  for (auto it = attempts_.begin(); it != attempts_.end();) {
    const auto next = std::next(it);
    if (now - it->second.first > limits_.age) Erase(it);
    it = next;
  }
}

// Removes the attempt and what it counted for every sender.
void EarlyMaps::Erase(std::map<AttemptKey, Attempt>::iterator attempt) {
  for (auto it = usage_.begin(); it != usage_.end();) {
    Usage& usage = it->second;
    if (const auto bytes = usage.bytes.find(attempt->first); bytes != usage.bytes.end()) {
      usage.total -= bytes->second;
      usage.bytes.erase(bytes);
    }
    it = usage.bytes.empty() ? usage_.erase(it) : std::next(it);
  }
  attempts_.erase(attempt);
}

void EarlyMaps::GiveUpOldestOf(DeviceId from) {
  const auto usage = usage_.find(from);
  if (usage == usage_.end() || usage->second.bytes.empty()) {
    usage_.erase(from);
    return;
  }
  auto oldest = attempts_.end();
  for (const auto& [key, bytes] : usage->second.bytes) {
    const auto it = attempts_.find(key);
    if (oldest == attempts_.end() || it->second.first < oldest->second.first) oldest = it;
  }
  Erase(oldest);
}

}  // namespace braid::cluster
