#include "braid/cluster/sim/weather.h"

#include <algorithm>

namespace braid::cluster::sim {

using std::chrono::milliseconds;

Weather::Weather(Group* group, const WeatherOptions& options)
    : group_(group),
      options_(options),
      rng_(options.seed ^ 0x77656174686572ull),
      next_(group->Now() + options.least_calm) {}

TimePoint Weather::next() const {
  TimePoint next = next_;
  for (const Fault& fault : now_) next = std::min(next, fault.until);
  return next;
}

void Weather::Blow() {
  const TimePoint now = group_->Now();
  for (size_t i = 0; i < now_.size();) {
    if (now_[i].until > now) {
      ++i;
      continue;
    }
    const Fault fault = std::move(now_[i]);
    now_.erase(now_.begin() + static_cast<ptrdiff_t>(i));
    Note("end of " + fault.name);
    fault.end();
  }
  if (clear_ || now < next_) return;
  next_ = now + Duration(rng_.Between(options_.least_calm.count(), options_.most_calm.count()));
  if (static_cast<int>(now_.size()) < options_.at_once) Begin();
}

bool Weather::Touched(int device) const {
  return std::ranges::any_of(now_, [device](const Fault& fault) {
    return std::ranges::find(fault.devices, device) != fault.devices.end();
  });
}

void Weather::Begin() {
  const int a = static_cast<int>(rng_.Below(static_cast<uint64_t>(group_->size())));
  const int b = static_cast<int>(rng_.Below(static_cast<uint64_t>(group_->size())));
  const uint64_t kind = rng_.Below(8);
  const TimePoint until = group_->Now() + Duration(rng_.Between(Duration(milliseconds(5)).count(),
                                                                options_.longest.count()));
  if (Touched(a)) return;
  Fault fault;
  fault.until = until;
  MemoryNetwork& network = group_->network();
  if (kind <= 1) {  // one device
    fault.devices = {a};
    if (kind == 0) {
      fault.name = "kill of " + group_->name(a);
      group_->Kill(a);
      fault.end = [this, a] { group_->Revive(a); };
    } else {
      fault.name = "freeze of " + group_->name(a);
      group_->Freeze(a);
      fault.end = [this, a] { group_->Thaw(a); };
    }
  } else {  // the link of two
    if (a == b || Touched(b)) return;
    fault.devices = {a, b};
    const std::string from = group_->name(a);
    const std::string to = group_->name(b);
    const std::string link = from + " and " + to;
    const auto heal = [&network, from, to] { network.SetFaultBetween(from, to, LinkFault::kNone); };
    switch (kind) {
      case 2:
        fault.name = "reset between " + link;
        network.CutLink(from, to);
        fault.end = [] {};
        break;
      case 3:
        fault.name = "loss between " + link;
        network.SetFaultBetween(from, to, LinkFault::kDrop);
        fault.end = heal;
        break;
      case 4:
        fault.name = "loss from " + from + " to " + to;
        network.SetFault(from, to, LinkFault::kDrop);
        fault.end = heal;
        break;
      case 5:
        fault.name = "stall between " + link;
        network.SetFaultBetween(from, to, LinkFault::kHold);
        fault.end = heal;
        break;
      case 6:
        fault.name = "stall from " + from + " to " + to;
        network.SetFault(from, to, LinkFault::kHold);
        fault.end = heal;
        break;
      default:
        fault.name = "damage from " + from + " to " + to;
        network.DamageNextFrame(from, to);
        fault.end = [] {};
    }
  }
  ++faults_;
  Note(fault.name);
  now_.push_back(std::move(fault));
}

void Weather::Clear() {
  clear_ = true;
  for (const Fault& fault : now_) {
    Note("end of " + fault.name);
    fault.end();
  }
  now_.clear();
  next_ = group_->Now() + std::chrono::hours(1);
}

void Weather::Note(const std::string& what) {
  diary_.push_back(std::to_string((group_->Now() - TimePoint{}) / milliseconds(1)) +
                   " ms: " + what);
}

}  // namespace braid::cluster::sim
