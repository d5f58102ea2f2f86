#include "braid/cluster/sim/judge.h"

#include <algorithm>

namespace braid::cluster::sim {
namespace {

// A device's timers may run this much after the deadline that they are for.
constexpr Duration kGrace = std::chrono::milliseconds(1);

}  // namespace

uint64_t Judge::Open(Ticket ticket) {
  const uint64_t id = tickets_.size() + 1;
  by_deadline_[{ticket.deadline, id}] = id;
  tickets_[id] = std::move(ticket);
  return id;
}

void Judge::Finish(uint64_t id, const Result<InferResult>& result, TimePoint now) {
  Ticket& ticket = tickets_.at(id);
  if (ticket.finished) return Complain(id, "answered twice");
  ticket.finished = true;
  by_deadline_.erase({ticket.deadline, id});
  if (!result.ok()) {
    if (ticket.excused || ticket.pinned) {
      ++failed_;
    } else {
      Complain(id, "failed: " + result.status().ToString());
    }
    return;
  }
  ++answered_;
  failovers_ += result->failovers;
  combined_ += result->devices.size() > 1 ? 1 : 0;
  if (!ticket.excused && !ticket.pinned) worst_ = std::max(worst_, result->elapsed);
  if (!ticket.excused) {
    if (now > ticket.deadline + kGrace) Complain(id, "answered after its deadline");
  }
  CheckAnswer(id, ticket, *result);
  ticket.pixels.clear();
}

void Judge::CheckAnswer(uint64_t id, const Ticket& ticket, const InferResult& answer) {
  const int points = static_cast<int>(network_.points.size());
  if (answer.point < 0 || answer.point >= points) return Complain(id, "names no point");
  const std::string& name = network_.points[static_cast<size_t>(answer.point)].name;
  if (ticket.pinned && *ticket.pinned != answer.point) {
    Complain(id, "answered by " + name + ", not by the point asked for");
  }
  if (answer.images != ticket.images) Complain(id, "answers another number of images");
  const auto expected = oracle_->Logits(answer.point, ticket.pixels, ticket.images);
  if (answer.logits.size() != expected.size()) {
    return Complain(id, "answers another number of logits");
  }
  if (answer.logits != expected) Complain(id, "logits are not those of " + name);
  // Of the logits that it came with, so that a lie of a member about them shows as that alone.
  const size_t classes = expected.size() / static_cast<size_t>(ticket.images);
  for (size_t i = 0; i < static_cast<size_t>(ticket.images); ++i) {
    const auto first = answer.logits.begin() + static_cast<ptrdiff_t>(i * classes);
    const auto largest = std::max_element(first, first + static_cast<ptrdiff_t>(classes));
    if (i >= answer.classes.size() || answer.classes[i] != largest - first) {
      Complain(id, "class is not that of the largest logit");
    }
  }
  if (answer.devices.empty()) Complain(id, "names no device");
}

void Judge::Excuse(int device) {
  for (const auto& [due, id] : by_deadline_) {
    Ticket& ticket = tickets_.at(id);
    if (ticket.device == device) ticket.excused = true;
  }
}

void Judge::Look(TimePoint now) {
  for (auto it = by_deadline_.begin(); it != by_deadline_.end();) {
    if (it->first.first + kGrace >= now) return;
    const uint64_t id = it->second;
    ++it;
    if (tickets_.at(id).excused) continue;
    Complain(id, "neither answered nor refused by its deadline");
    tickets_.at(id).excused = true;  // once is enough
  }
}

void Judge::Complain(uint64_t id, const std::string& what) {
  const Ticket& ticket = tickets_.at(id);
  const auto due = (ticket.deadline - TimePoint{}) / std::chrono::milliseconds(1);
  complaints_.push_back("request " + std::to_string(id) + " at device " +
                        std::to_string(ticket.device) + ", due at " + std::to_string(due) +
                        " ms: " + what);
}

}  // namespace braid::cluster::sim
