// Which device computes which part of an operating point. Layer: control.
#pragma once

#include <cstdint>
#include <vector>

#include "braid/tensor/group_set.h"

namespace braid::control {

// A device of the group: the first 8 bytes of the SHA-256 of its name, little-endian. Names are
// unique within a group; the handshake refuses a second device of the same name.
enum class DeviceId : uint64_t {};

// One device's part of one term: it computes the output channels of `local` in every layer.
struct Assignment {
  DeviceId device{};
  int term = 0;    // index into OperatingPoint::terms
  GroupSet local;  // non-empty subset of the term's groups and of the device's share
  bool operator==(const Assignment&) const = default;
};

// Every group of every term exactly once. At most one assignment per (device, term).
using Placement = std::vector<Assignment>;

}  // namespace braid::control
