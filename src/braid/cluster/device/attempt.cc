#include "braid/cluster/device/attempt.h"

#include <algorithm>

#include "braid/base/check.h"
#include "braid/runtime/execution.h"

namespace braid::cluster {
namespace {

// Two's complement addition: the loader proves that honest sums stay inside s32, and a sum that
// does not must not be undefined behaviour either.
void AddTo(std::vector<int32_t>& total, const std::vector<int32_t>& more) {
  for (size_t i = 0; i < total.size(); ++i) {
    total[i] =
        static_cast<int32_t>(static_cast<uint32_t>(total[i]) + static_cast<uint32_t>(more[i]));
  }
}

}  // namespace

Attempt::Attempt(const model::Network& network, int point, control::Placement placement, int images,
                 TimePoint started, TimePoint slow_at)
    : network_(network),
      point_(point),
      images_(images),
      started_(started),
      slow_at_(slow_at),
      placement_(std::move(placement)),
      owed_(placement_) {
  const model::OperatingPoint& chosen = network.points[static_cast<size_t>(point)];
  const int classes = network.layers[static_cast<size_t>(chosen.head)].Channels();
  sums_.assign(chosen.terms.size(),
               std::vector<int32_t>(static_cast<size_t>(images) * static_cast<size_t>(classes)));
}

bool Attempt::Participates(DeviceId device) const {
  return std::ranges::find(placement_, device, &control::Assignment::device) != placement_.end();
}

bool Attempt::ShareTerm(DeviceId a, DeviceId b) const {
  return std::ranges::any_of(placement_, [&](const control::Assignment& first) {
    return first.device == a && std::ranges::any_of(placement_, [&](const auto& second) {
             return second.device == b && second.term == first.term;
           });
  });
}

std::optional<GroupSet> Attempt::Owed(DeviceId device, int term) const {
  for (const control::Assignment& part : owed_) {
    if (part.device == device && part.term == term) return part.local;
  }
  return std::nullopt;
}

bool Attempt::Owes(DeviceId device) const {
  return std::ranges::find(owed_, device, &control::Assignment::device) != owed_.end();
}

std::vector<DeviceId> Attempt::LastOfTheirTerms() const {
  std::vector<DeviceId> last;
  for (const control::Assignment& part : owed_) {
    if (std::ranges::count(owed_, part.term, &control::Assignment::term) == 1) {
      last.push_back(part.device);
    }
  }
  return last;
}

void Attempt::Add(DeviceId device, int term, const std::vector<int32_t>& sums) {
  const auto owed = std::ranges::find_if(owed_, [&](const control::Assignment& part) {
    return part.device == device && part.term == term;
  });
  BRAID_CHECK(owed != owed_.end());
  owed_.erase(owed);
  std::vector<int32_t>& total = sums_[static_cast<size_t>(term)];
  BRAID_CHECK(sums.size() == total.size());
  AddTo(total, sums);
}

std::vector<int32_t> Attempt::Finish() {
  BRAID_CHECK(complete());
  const model::OperatingPoint& point = network_.points[static_cast<size_t>(point_)];
  std::vector<int32_t> logits;
  for (size_t term = 0; term < sums_.size(); ++term) {
    runtime::FinishLogits(network_, point.terms[term], point.head, sums_[term]);
    if (term == 0) {
      logits = std::move(sums_[term]);
    } else {
      AddTo(logits, sums_[term]);
    }
  }
  return logits;
}

bool Attempt::AddBlame(const Blame& blame) {
  blames_.push_back(blame);
  return blames_.size() == 1;
}

std::vector<Attempt::Blame> Attempt::EarliestBlames() const {
  std::vector<Blame> earliest;
  for (const Blame& blame : blames_) {
    if (!earliest.empty() && blame.layer > earliest.front().layer) continue;
    if (!earliest.empty() && blame.layer < earliest.front().layer) earliest.clear();
    earliest.push_back(blame);
  }
  return earliest;
}

std::vector<int64_t> LargestOf(const std::vector<int32_t>& logits, int images) {
  std::vector<int64_t> classes;
  const auto count = static_cast<ptrdiff_t>(logits.size()) / images;
  for (int i = 0; i < images; ++i) {
    const auto first = logits.begin() + i * count;
    classes.push_back(std::max_element(first, first + count) - first);
  }
  return classes;
}

}  // namespace braid::cluster
