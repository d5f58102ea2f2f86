// An executor on a processor of `share` times the speed: after its work it sleeps as long as the
// slower processor would still be computing. Sockets and timers keep their full speed. Layer: cli.
#pragma once

#include <memory>

#include "braid/cluster/device.h"

namespace braid::cli {

// `inner` runs the jobs; share in (0, 1].
std::unique_ptr<cluster::Executor> MakeThrottledExecutor(std::unique_ptr<cluster::Executor> inner,
                                                         double share);

}  // namespace braid::cli
