#include "braid/control/placer.h"

#include <algorithm>
#include <tuple>

namespace braid::control {
namespace {

// Steps that one search may take. Groups of real size need tens; the bound keeps an odd group
// (many devices, many broken links) from holding up the loop.
constexpr int kSearchSteps = 20000;

constexpr uint64_t Bit(size_t device) { return uint64_t{1} << device; }

}  // namespace

// A partial cover: which devices take part in which term, and what is still uncovered.
struct Placer::Cover {
  std::vector<uint64_t> members;  // [terms], masks of devices
  std::vector<GroupSet> left;     // [terms]
  uint64_t used = 0;
  int steps = 0;
};

Placer::Placer(std::span<const DeviceState> devices,
               std::span<const std::pair<DeviceId, DeviceId>> broken_links,
               double prior_macs_per_second)
    : devices_(devices.begin(), devices.end()) {
  std::sort(devices_.begin(), devices_.end(), [](const DeviceState& a, const DeviceState& b) {
    return std::make_tuple(!a.self, a.round_trip, a.id) <
           std::make_tuple(!b.self, b.round_trip, b.id);
  });
  if (devices_.size() > kMaxPlacedDevices) devices_.resize(kMaxPlacedDevices);

  double known_sum = 0;
  int known = 0;
  for (const DeviceState& device : devices_) {
    if (device.macs_per_second <= 0) continue;
    known_sum += device.macs_per_second;
    ++known;
  }
  const double guess = known > 0 ? known_sum / known : prior_macs_per_second;
  for (DeviceState& device : devices_) {
    if (device.macs_per_second <= 0) device.macs_per_second = guess;
  }

  broken_.assign(devices_.size(), 0);
  for (size_t i = 0; i < devices_.size(); ++i) {
    for (size_t j = 0; j < devices_.size(); ++j) {
      for (const auto& [a, b] : broken_links) {
        if ((a == devices_[i].id && b == devices_[j].id) ||
            (b == devices_[i].id && a == devices_[j].id)) {
          broken_[i] |= Bit(j);
        }
      }
    }
  }
}

size_t Placer::IndexOf(DeviceId id) const {
  const auto it = std::find_if(devices_.begin(), devices_.end(),
                               [id](const DeviceState& device) { return device.id == id; });
  BRAID_CHECK(it != devices_.end()) << "a placement names a device that was not offered";
  return static_cast<size_t>(it - devices_.begin());
}

// Depth first: the first uncovered group is given to each device that may take it, used devices
// before up to `fresh` further ones. A device that joins a term takes all it carries of it: that
// never makes the rest harder. Leaves the cover as it was when it fails.
bool Placer::Search(Cover& cover, int fresh) const {
  size_t term = 0;
  while (term < cover.left.size() && cover.left[term].empty()) ++term;
  if (term == cover.left.size()) return true;
  const int group = *cover.left[term].begin();
  for (const bool used : {true, false}) {
    if (!used && fresh == 0) break;
    for (size_t d = 0; d < devices_.size(); ++d) {
      if (((cover.used & Bit(d)) != 0) != used || !devices_[d].share.Contains(group) ||
          (broken_[d] & cover.members[term]) != 0) {
        continue;
      }
      if (++cover.steps > kSearchSteps) return false;
      const uint64_t members = cover.members[term];
      const GroupSet left = cover.left[term];
      const uint64_t all_used = cover.used;
      cover.members[term] |= Bit(d);
      cover.left[term] = left - devices_[d].share;
      cover.used |= Bit(d);
      if (Search(cover, fresh - (used ? 0 : 1))) return true;
      cover.members[term] = members;
      cover.left[term] = left;
      cover.used = all_used;
    }
  }
  return false;
}

Placement Placer::Divide(const PointWork& work, const Cover& cover) const {
  std::vector<double> seconds(devices_.size(), 0);
  std::vector<std::vector<GroupSet>> local(work.terms.size(),
                                           std::vector<GroupSet>(devices_.size()));
  // Groups that only one member carries first, so that the others can even out the load.
  for (const bool only_one : {true, false}) {
    for (size_t t = 0; t < work.terms.size(); ++t) {
      const TermWork& term = work.terms[t];
      for (const int g : term.groups) {
        int carriers = 0;
        size_t best = 0;
        double best_seconds = 0;
        for (size_t d = 0; d < devices_.size(); ++d) {
          if ((cover.members[t] & Bit(d)) == 0 || !devices_[d].share.Contains(g)) continue;
          const double end =
              seconds[d] + term.macs[static_cast<size_t>(g)] / devices_[d].macs_per_second;
          if (carriers++ == 0 || end < best_seconds) {
            best = d;
            best_seconds = end;
          }
        }
        if ((carriers == 1) != only_one) continue;
        local[t][best] = local[t][best].With(g);
        seconds[best] = best_seconds;
      }
    }
  }
  Placement placement;
  for (size_t t = 0; t < local.size(); ++t) {
    for (size_t d = 0; d < devices_.size(); ++d) {
      if (local[t][d].empty()) continue;
      placement.push_back({devices_[d].id, static_cast<int>(t), local[t][d]});
    }
  }
  return placement;
}

std::optional<Placement> Placer::Fewest(const PointWork& work) const {
  GroupSet carried;
  for (const DeviceState& device : devices_) carried = carried | device.share;
  if (work.groups.empty() || !carried.ContainsAll(work.groups)) return std::nullopt;

  Cover cover;
  cover.members.assign(work.terms.size(), 0);
  for (const TermWork& term : work.terms) cover.left.push_back(term.groups);
  const int most = std::min(work.groups.size(), static_cast<int>(devices_.size()));
  for (int fresh = 1; fresh <= most; ++fresh) {
    if (Search(cover, fresh)) return Divide(work, cover);
    if (cover.steps > kSearchSteps) break;
  }
  return std::nullopt;
}

std::optional<Placement> Placer::On(const PointWork& work, size_t device) const {
  if (work.groups.empty() || !devices_[device].share.ContainsAll(work.groups)) return std::nullopt;
  Placement placement;
  for (size_t t = 0; t < work.terms.size(); ++t) {
    placement.push_back({devices_[device].id, static_cast<int>(t), work.terms[t].groups});
  }
  return placement;
}

}  // namespace braid::control
