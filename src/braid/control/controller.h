// (request, group state) -> operating point and placement. The one place that decides how a
// request is run; rules first, learned later. Layer: control.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/control/placement.h"
#include "braid/model/network.h"

namespace braid::control {

// What a request asks for; absent fields ask for nothing. Deadline and cost limits are hard,
// accuracy is best effort unless `strict`.
struct Constraints {
  std::optional<int> point;            // index into Network::points: exactly this one
  std::optional<Duration> remaining;   // time until the deadline
  std::optional<int64_t> max_macs;     // worst case of the point, for one image
  std::optional<double> min_accuracy;  // fraction
  bool strict = false;                 // refuse rather than answer below min_accuracy
  int images = 1;                      // in this request
};

// One usable device (up, not suspected), as the requester sees it.
struct DeviceState {
  DeviceId id{};
  bool self = false;
  GroupSet share;
  Duration round_trip{};    // smoothed; 0 for self
  int requests_queued = 0;  // waiting or running there, as last reported
  double macs_per_second = 0;  // smoothed measurement; 0 while unknown
};

struct Choice {
  int point = 0;
  Placement placement;
  Duration estimate{};  // expected time to the answer
};

class Controller {
 public:
  virtual ~Controller() = default;
  // `devices`: all usable devices, self among them. `broken_links`: pairs that cannot talk to each
  // other now, so they may not share a term. Errors: INVALID_ARGUMENT (no such point),
  // UNAVAILABLE (no point can be placed on the devices left), DEADLINE_EXCEEDED / OUT_OF_RANGE /
  // FAILED_PRECONDITION (no placeable point fits the deadline / cost limit / strict accuracy).
  virtual Result<Choice> Choose(const Constraints& constraints,
                                std::span<const DeviceState> devices,
                                std::span<const std::pair<DeviceId, DeviceId>> broken_links) = 0;
};

}  // namespace braid::control
