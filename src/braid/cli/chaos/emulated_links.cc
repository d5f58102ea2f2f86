#include <algorithm>
#include <map>
#include <utility>

#include "braid/base/check.h"
#include "braid/cli/chaos/chaos_links.h"
#include "braid/cluster/link/link_emulator.h"

namespace braid::cli {
namespace {

class EmulatedLinks final : public ChaosLinks {
 public:
  Result<Place> Add(int) override { return Place{"127.0.0.1", "127.0.0.1", {}, {}}; }

  Result<std::string> Connect(int dialer, int target, int port) override {
    BRAID_CHECK(dialer > target);
    Link link;
    BRAID_ASSIGN_OR_RETURN(link.emulator, cluster::LinkEmulator::Create(
                                              "127.0.0.1:" + std::to_string(port)));
    const std::string dial = link.emulator->address();
    links_[{dialer, target}] = std::move(link);
    return dial;
  }

  Status Begin(const PlannedFault& fault) override { return Change(fault, 1); }
  Status End(const PlannedFault& fault) override { return Change(fault, -1); }

 private:
  struct Link {
    std::unique_ptr<cluster::LinkEmulator> emulator;
    // Faults of two kinds may overlap on one link.
    int blocked_forward = 0, blocked_back = 0, cut = 0;
  };

  Status Change(const PlannedFault& fault, int by) {
    const bool forward = fault.on > fault.to;  // from the dialer to the target
    Link& link = links_.at({std::max(fault.on, fault.to), std::min(fault.on, fault.to)});
    cluster::LinkSettings settings;
    switch (fault.kind) {
      case FaultKind::kSlowLink:
        if (by > 0) {
          settings.delay = fault.delay;
          settings.bits_per_second = fault.bits_per_second;
        }
        link.emulator->Set(settings, settings);
        return OkStatus();
      case FaultKind::kLossyLink:
        if (by > 0) settings.loss = fault.loss;
        link.emulator->Set(settings, settings);
        return OkStatus();
      case FaultKind::kOneWayPartition:
        (forward ? link.blocked_forward : link.blocked_back) += by;
        break;
      case FaultKind::kPartition:
        link.blocked_forward += by;
        link.blocked_back += by;
        break;
      case FaultKind::kCutLink:
        link.cut += by;
        if (link.cut > 0) {
          link.emulator->Cut();
        } else {
          link.emulator->Restore();
        }
        return OkStatus();
      case FaultKind::kKill:
      case FaultKind::kFreeze:
      case FaultKind::kRestart:
      case FaultKind::kClockJump:
      case FaultKind::kFullDisk:
      case FaultKind::kMemoryLimit:
      case FaultKind::kWrongModel:
      case FaultKind::kRollingUpgrade:
        return Internal(std::string(FaultName(fault.kind)) + " is no fault of a link");
    }
    link.emulator->SetFrozen(link.blocked_forward > 0, link.blocked_back > 0);
    return OkStatus();
  }

  std::map<std::pair<int, int>, Link> links_;  // by dialer and target, dialer the larger one
};

}  // namespace

std::unique_ptr<ChaosLinks> MakeEmulatedLinks() { return std::make_unique<EmulatedLinks>(); }

}  // namespace braid::cli
