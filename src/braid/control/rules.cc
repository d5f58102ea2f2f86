#include "braid/control/rules.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>

namespace braid::control {
namespace {

// Accuracies are decimal fractions in a file; this absorbs their rounding and nothing else.
constexpr double kRounding = 1e-9;

// After so many requests refused for time in a row the next one is tried anyway: a speed that was
// measured in a bad moment is corrected by running only.
constexpr int kRefusalsBeforeTrial = 15;

Duration Seconds(double seconds) {
  // A day is for ever here; the bound keeps the conversion to integer nanoseconds defined.
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(std::min(seconds, 86400.0)));
}

double ToSeconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::string Percent(double fraction) {
  const std::string text = std::to_string(100 * fraction);
  return text.substr(0, text.find('.') + 3) + " %";
}

}  // namespace

RuleController::RuleController(const model::Network* network, RuleOptions options)
    : network_(network), options_(options), by_accuracy_(network->points.size()) {
  for (size_t p = 0; p < network->points.size(); ++p) {
    work_.push_back(MeasurePoint(*network, static_cast<int>(p)));
    typical_macs_ += work_.back().macs / static_cast<double>(network->points.size());
  }
  std::iota(by_accuracy_.begin(), by_accuracy_.end(), 0);
  std::stable_sort(by_accuracy_.begin(), by_accuracy_.end(), [this](int a, int b) {
    if (Accuracy(a) != Accuracy(b)) return Accuracy(a) > Accuracy(b);
    return work_[static_cast<size_t>(a)].macs < work_[static_cast<size_t>(b)].macs;
  });
}

double RuleController::Accuracy(int point) const {
  return network_->points[static_cast<size_t>(point)].accuracy;
}

bool RuleController::CostFits(const Constraints& constraints, int point) const {
  return !constraints.max_macs.has_value() ||
         network_->points[static_cast<size_t>(point)].macs_worst <= *constraints.max_macs;
}

Result<Choice> RuleController::Choose(const Constraints& constraints,
                                      std::span<const DeviceState> devices,
                                      std::span<const std::pair<DeviceId, DeviceId>> broken_links) {
  std::span<const int> points = by_accuracy_;
  if (constraints.point.has_value()) {
    const int asked = *constraints.point;
    if (asked < 0 || asked >= static_cast<int>(network_->points.size())) {
      return InvalidArgument("operating point " + std::to_string(asked) + ": the model has " +
                             std::to_string(network_->points.size()));
    }
    points = std::span<const int>(&*constraints.point, 1);
  }
  UpdatePressure(devices);
  const Placer placer(devices, broken_links, options_.prior_macs_per_second);
  if (pressed_) {
    if (std::optional<Candidate> side = SideBySide(constraints, points, placer)) {
      time_refusals_ = 0;
      return std::move(side->choice);
    }
  }
  return Best(constraints, points, placer);
}

void RuleController::UpdatePressure(std::span<const DeviceState> devices) {
  int64_t queued = 0;
  for (const DeviceState& device : devices) queued += device.requests_queued;
  const int64_t count = static_cast<int64_t>(devices.size());
  if (pressed_) {
    pressed_ = count > 1 && queued >= options_.pressure_off * count;
  } else {
    pressed_ = count > 1 && queued > options_.pressure_on * count;
  }
}

// Each device's most accurate point that it can run alone; of these the one that answers soonest.
// Devices that miss min_accuracy are considered only when no device reaches it.
std::optional<RuleController::Candidate> RuleController::SideBySide(const Constraints& constraints,
                                                                    std::span<const int> points,
                                                                    const Placer& placer) const {
  const double wanted = constraints.min_accuracy.value_or(0);
  std::optional<Candidate> best;
  bool best_reaches = false;
  for (size_t d = 0; d < placer.devices().size(); ++d) {
    std::optional<Candidate> own;
    double own_accuracy = 0;
    for (const int p : points) {
      const bool reaches = Accuracy(p) + kRounding >= wanted;
      if (!reaches && (constraints.strict || best_reaches || own.has_value())) break;
      if (own.has_value() && Accuracy(p) + kRounding < own_accuracy - options_.accuracy_slack) {
        break;
      }
      if (!CostFits(constraints, p)) continue;
      std::optional<Placement> placement = placer.On(work_[static_cast<size_t>(p)], d);
      if (!placement.has_value()) continue;
      Candidate candidate = Estimate(p, *std::move(placement), constraints.images, placer);
      if (constraints.remaining.has_value() && candidate.choice.estimate > *constraints.remaining) {
        continue;
      }
      if (!own.has_value()) own_accuracy = Accuracy(p);
      if (!own.has_value() || candidate.choice.estimate < own->choice.estimate) {
        own = std::move(candidate);
      }
    }
    if (!own.has_value()) continue;
    const bool reaches = own_accuracy + kRounding >= wanted;
    if (!best.has_value() || (reaches && !best_reaches) ||
        (reaches == best_reaches && own->choice.estimate < best->choice.estimate)) {
      best = std::move(own);
      best_reaches = reaches;
    }
  }
  return best;
}

Result<Choice> RuleController::Best(const Constraints& constraints, std::span<const int> points,
                                    const Placer& placer) {
  const double wanted = constraints.min_accuracy.value_or(0);
  std::optional<Candidate> best;     // fits the remaining time, queues counted
  std::optional<Candidate> soonest;  // of those that do not
  double best_accuracy = 0;
  for (const int p : points) {  // falling accuracy: the first that fits is the most accurate
    const bool reaches = Accuracy(p) + kRounding >= wanted;
    if (!reaches && constraints.strict) break;
    if (best.has_value()) {
      if (Accuracy(p) + kRounding < best_accuracy - options_.accuracy_slack) break;
      if (!reaches && best_accuracy + kRounding >= wanted) break;
    }
    if (!CostFits(constraints, p)) continue;
    std::optional<Placement> placement = placer.Fewest(work_[static_cast<size_t>(p)]);
    if (!placement.has_value()) continue;
    Candidate candidate = Estimate(p, *std::move(placement), constraints.images, placer);
    const Duration estimate = candidate.choice.estimate;
    if (!constraints.remaining.has_value() || estimate <= *constraints.remaining) {
      if (!best.has_value()) best_accuracy = Accuracy(p);
      if (!best.has_value() || estimate < best->choice.estimate) best = std::move(candidate);
    } else if (!soonest.has_value() || candidate.idle < soonest->idle) {
      soonest = std::move(candidate);
    }
  }
  if (best.has_value()) {
    time_refusals_ = 0;
    return std::move(best->choice);
  }
  if (!soonest.has_value()) return Refusal(constraints, points, placer);

  // Queue lengths are reported late and hold requests of any cost: they steer the choice, but only
  // the request's own work can refuse it.
  const Duration remaining = *constraints.remaining;
  if (remaining > Duration::zero() &&
      (soonest->idle <= remaining || ++time_refusals_ > kRefusalsBeforeTrial)) {
    time_refusals_ = 0;
    return std::move(soonest->choice);
  }
  return DeadlineExceeded("the fastest operating point, " +
                          network_->points[static_cast<size_t>(soonest->choice.point)].name +
                          ", takes about " + std::to_string(soonest->idle.count() / 1000) +
                          " us; remaining: " + std::to_string(remaining.count() / 1000) + " us");
}

Status RuleController::Refusal(const Constraints& constraints, std::span<const int> points,
                               const Placer& placer) const {
  bool placed = false;
  bool cost_fits = false;
  double best_accuracy = 0;
  for (const int p : points) {
    if (!placer.Fewest(work_[static_cast<size_t>(p)]).has_value()) continue;
    placed = true;
    if (!CostFits(constraints, p)) continue;
    cost_fits = true;
    best_accuracy = std::max(best_accuracy, Accuracy(p));
  }
  if (!placed) {
    const std::string which =
        constraints.point.has_value()
            ? "operating point " + network_->points[static_cast<size_t>(points.front())].name
            : std::string("no operating point");
    const std::string verb = constraints.point.has_value() ? " cannot" : " can";
    return Unavailable(which + verb + " be placed on the " +
                       std::to_string(placer.devices().size()) + " usable device(s)");
  }
  if (!cost_fits) {
    return OutOfRange("no placeable operating point costs at most " +
                      std::to_string(*constraints.max_macs) + " multiply-adds");
  }
  return FailedPrecondition("best accuracy now is " + Percent(best_accuracy) + ", asked for is " +
                            Percent(constraints.min_accuracy.value_or(0)));
}

RuleController::Candidate RuleController::Estimate(int point, Placement placement, int images,
                                                   const Placer& placer) const {
  const PointWork& work = work_[static_cast<size_t>(point)];
  const double image_bytes =
      static_cast<double>(network_->input_h) * network_->input_w * network_->input_c * images;
  std::vector<double> seconds(placer.devices().size(), 0);  // of own work
  double exchange = 0;                                      // of the slowest term
  for (size_t t = 0; t < work.terms.size(); ++t) {
    const TermWork& term = work.terms[t];
    double round_trip = 0;
    double bytes = 0;
    int members = 0;
    for (const Assignment& assignment : placement) {
      if (assignment.term == static_cast<int>(t)) ++members;
    }
    for (const Assignment& assignment : placement) {
      if (assignment.term != static_cast<int>(t)) continue;
      const size_t d = placer.IndexOf(assignment.device);
      const DeviceState& device = placer.devices()[d];
      double sent = 0;
      for (const int g : assignment.local) {
        seconds[d] += term.macs[static_cast<size_t>(g)] * images / device.macs_per_second;
        sent += term.exchange_bytes[static_cast<size_t>(g)] * images * (members - 1);
      }
      // Between two peers the round trip is not known; the slower one's to us stands in.
      round_trip = std::max(round_trip, ToSeconds(device.round_trip));
      bytes = std::max(bytes, sent);
    }
    if (members < 2) continue;
    exchange = std::max(exchange,
                        term.exchanges * round_trip / 2 + bytes / options_.link_bytes_per_second);
  }
  double idle = 0;
  double busy = 0;
  for (size_t d = 0; d < seconds.size(); ++d) {
    const DeviceState& device = placer.devices()[d];
    const bool takes_part =
        std::any_of(placement.begin(), placement.end(),
                    [&device](const Assignment& a) { return a.device == device.id; });
    if (!takes_part) continue;
    double own = seconds[d];
    if (!device.self) {  // the images go there, the sums come back
      own += ToSeconds(device.round_trip) + image_bytes / options_.link_bytes_per_second;
    }
    idle = std::max(idle, own);
    busy = std::max(busy, own + device.requests_queued * typical_macs_ / device.macs_per_second);
  }
  Candidate candidate;
  candidate.choice.point = point;
  candidate.choice.placement = std::move(placement);
  candidate.choice.estimate = Seconds(busy + exchange);
  candidate.idle = Seconds(idle + exchange);
  return candidate;
}

}  // namespace braid::control
