// Whether a received start can be run here. Layer: cluster/device.
#pragma once

#include "braid/base/status.h"
#include "braid/cluster/link/frame.h"
#include "braid/control/placement.h"
#include "braid/model/network.h"
#include "braid/tensor/group_set.h"

namespace braid::cluster {

// OK when `start` names a point of `network`, pixels of the stated number of images, and a
// placement that covers the groups of every term exactly once, with a part for `self` inside its
// `share`. The INVALID_ARGUMENT otherwise names the field; the sender holds the same model, so it
// is damaged or hostile.
Status CheckStart(const model::Network& network, const Start& start, control::DeviceId self,
                  GroupSet share);

// The placement's part of the check, without `self` and `share`.
Status CheckPlacement(const model::Network& network, int point,
                      const control::Placement& placement);

// Bytes of one image's pixels.
int64_t ImageBytes(const model::Network& network);

}  // namespace braid::cluster
