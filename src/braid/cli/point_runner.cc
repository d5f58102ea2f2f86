#include "braid/cli/point_runner.h"

#include <algorithm>
#include <string>
#include <utility>

namespace braid::cli {
namespace {

using runtime::Execution;
using runtime::Plan;
using runtime::Step;

// `groups` in up to `devices` parts of neighbours, sizes as even as can be.
std::vector<GroupSet> Divide(GroupSet groups, int devices) {
  const int parts = std::min(devices, groups.size());
  std::vector<GroupSet> divided(static_cast<size_t>(parts));
  int seen = 0;
  for (const int group : groups) {
    GroupSet& part = divided[static_cast<size_t>(seen++ * parts / groups.size())];
    part = part.With(group);
  }
  return divided;
}

// Hands the map that `sender` has finished to all others.
Status SendMap(const std::vector<std::unique_ptr<Plan>>& plans,
               const std::vector<std::unique_ptr<Execution>>& devices, size_t sender) {
  const model::LayerIndex layer = devices[sender]->exchange_layer();
  for (const int group : plans[sender]->spec().local) {
    const std::span<const uint8_t> map = devices[sender]->LocalMap(group);
    for (size_t to = 0; to < devices.size(); ++to) {
      if (to != sender) BRAID_RETURN_IF_ERROR(devices[to]->Supply(layer, group, map));
    }
  }
  return OkStatus();
}

// Resumes the devices in turn until all are done. Each runs until it waits for a map: then another
// must be able to go on.
Status RunToEnd(const std::vector<std::unique_ptr<Plan>>& plans,
                const std::vector<std::unique_ptr<Execution>>& devices) {
  std::vector<bool> done(devices.size(), false);
  size_t left = devices.size();
  while (left > 0) {
    bool progress = false;
    for (size_t d = 0; d < devices.size(); ++d) {
      bool waits = false;
      while (!done[d] && !waits) {
        switch (devices[d]->Resume()) {
          case Step::kDone:
            done[d] = true;
            --left;
            break;
          case Step::kExchangeReady:
            BRAID_RETURN_IF_ERROR(SendMap(plans, devices, d));
            break;
          case Step::kExchangeAwaited:
            waits = !devices[d]->Missing().empty();
            break;
          case Step::kCheckpoint:
            break;
        }
        progress = progress || !waits;
      }
    }
    if (!progress) return Internal("all devices wait for each other");
  }
  return OkStatus();
}

}  // namespace

Result<const runtime::PreparedModel*> PreparedShares::Get(GroupSet share) {
  auto found = models_.find(share);
  if (found == models_.end()) {
    BRAID_ASSIGN_OR_RETURN(auto model, runtime::PreparedModel::Prepare(network_, share, path_));
    found = models_.emplace(share, std::move(model)).first;
  }
  return found->second.get();
}

Result<PointPlan> PointPlan::Make(PreparedShares& shares, const model::OperatingPoint& point,
                                  int devices, int max_batch) {
  const model::Network& network = shares.network();
  PointPlan plan(network);
  for (const int sub_network : point.terms) {
    const GroupSet groups = network.sub_networks[static_cast<size_t>(sub_network)].groups;
    Term term;
    term.sub_network = sub_network;
    term.head = point.head;
    for (const GroupSet local : Divide(groups, devices)) {
      BRAID_ASSIGN_OR_RETURN(const runtime::PreparedModel* model, shares.Get(local));
      const runtime::PlanSpec spec = {.groups = groups,
                                      .local = local,
                                      .head = point.head,
                                      .max_batch = max_batch,
                                      .exits = false};
      BRAID_ASSIGN_OR_RETURN(auto device, Plan::Make(*model, spec));
      term.devices.push_back(std::move(device));
    }
    plan.terms_.push_back(std::move(term));
  }
  return plan;
}

Result<PointRun> PointRun::Make(const PointPlan& plan) {
  PointRun run(plan);
  for (const PointPlan::Term& term : plan.terms_) {
    Devices devices;
    for (const auto& device : term.devices) {
      devices.push_back(Execution::Create(*device));
      if (devices.back() == nullptr) {
        return ResourceExhausted("no memory for an execution of " +
                                 std::to_string(device->arena_bytes()) + " bytes");
      }
    }
    run.terms_.push_back(std::move(devices));
  }
  return run;
}

Status PointRun::Logits(std::span<const uint8_t> pixels, int n, std::span<int32_t> logits) {
  std::fill(logits.begin(), logits.end(), 0);
  for (size_t t = 0; t < terms_.size(); ++t) {
    const PointPlan::Term& term = plan_->terms_[t];
    for (const auto& device : terms_[t]) BRAID_RETURN_IF_ERROR(device->Start(pixels, n));
    BRAID_RETURN_IF_ERROR(RunToEnd(term.devices, terms_[t]));
    // The devices' parts of the sums, then bias and rescale once. Neither these sums nor those of
    // the terms can leave s32: model::Validate has proved it.
    term_logits_.assign(logits.size(), 0);
    for (const auto& device : terms_[t]) {
      const std::span<const int32_t> part = device->Logits();
      if (part.size() != logits.size()) return Internal("a device has logits of another size");
      for (size_t i = 0; i < part.size(); ++i) term_logits_[i] += part[i];
    }
    runtime::FinishLogits(*plan_->network_, term.sub_network, term.head, term_logits_);
    for (size_t i = 0; i < logits.size(); ++i) logits[i] += term_logits_[i];
  }
  return OkStatus();
}

}  // namespace braid::cli
