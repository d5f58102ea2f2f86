// Who may join: the hello that a device sends and the judgement of the one that it receives.
// Layer: cluster/device. Rules: docs/cluster.md, "Joining".
#pragma once

#include <string>

#include "braid/base/status.h"
#include "braid/cluster/link/frame.h"
#include "braid/control/placement.h"

namespace braid::cluster {

// The id that a name stands for (control/placement.h).
control::DeviceId DeviceIdOf(const std::string& name);

// OK when `theirs` belongs to the same group as `ours`: same wire version, group and model, a name
// of its own, and a share of the model's `groups` channel groups. FAILED_PRECONDITION with a
// reason that is sent to the peer and logged; INVALID_ARGUMENT for a hello that makes no sense.
Status JudgeHello(const Hello& ours, const Hello& theirs, int groups);

}  // namespace braid::cluster
