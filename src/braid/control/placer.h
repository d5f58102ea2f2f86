// Finds which devices compute which groups of a point's terms. Layer: control. The rules are
// docs/cluster.md, "Which point".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "braid/control/controller.h"
#include "braid/control/placement.h"
#include "braid/control/work.h"

namespace braid::control {

// Sees at most this many devices, the preferred ones (one bit each in a mask).
inline constexpr size_t kMaxPlacedDevices = 64;

class Placer {
 public:
  // Devices and pairs as Controller::Choose takes them; copied. `prior_macs_per_second` stands in
  // for devices of unknown speed.
  Placer(std::span<const DeviceState> devices,
         std::span<const std::pair<DeviceId, DeviceId>> broken_links, double prior_macs_per_second);

  // The order of preference: self, then by round trip, then by id. Speeds are filled in.
  const std::vector<DeviceState>& devices() const { return devices_; }
  // The index of `id` in devices(), which must hold it.
  size_t IndexOf(DeviceId id) const;

  // A placement on as few devices as can carry it, preferred ones first; groups that several of
  // these carry go where the work ends soonest. nullopt where a group is carried by none, or only
  // by devices that cannot talk to the others of its term.
  std::optional<Placement> Fewest(const PointWork& work) const;
  // Everything on devices()[device]; nullopt when it does not carry all of it.
  std::optional<Placement> On(const PointWork& work, size_t device) const;

 private:
  struct Cover;
  bool Search(Cover& cover, int fresh) const;
  Placement Divide(const PointWork& work, const Cover& cover) const;

  std::vector<DeviceState> devices_;
  std::vector<uint64_t> broken_;  // [devices]: mask of those that it cannot talk to
};

}  // namespace braid::control
