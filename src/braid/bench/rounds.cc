#include "braid/bench/rounds.h"

#include <algorithm>

namespace braid::bench {
namespace {

// Long against the clock's own 20-50 ns, short against a time slice of the scheduler.
constexpr Duration kSampleTime = std::chrono::microseconds(30);
// Of each way before the next one's turn.
constexpr Duration kSliceTime = std::chrono::milliseconds(2);

double Nanoseconds(Duration duration) { return static_cast<double>(duration.count()); }

int CallsPerSample(const std::function<void()>& way, const Clock& clock) {
  way();
  Duration best = Duration::max();
  for (int i = 0; i < 5; ++i) {
    const TimePoint start = clock.Now();
    way();
    best = std::min(best, clock.Now() - start);
  }
  const int64_t calls = kSampleTime / std::max(best, Duration(1));
  return static_cast<int>(std::clamp<int64_t>(calls, 1, 10'000));
}

// Samples until `until` has passed since now, one at least.
void Sample(const std::function<void()>& way, int calls, const Clock& clock, Duration until,
            std::vector<double>& samples) {
  way();  // its data back into the caches
  const TimePoint first = clock.Now();
  for (;;) {
    const TimePoint start = clock.Now();
    for (int i = 0; i < calls; ++i) way();
    const TimePoint end = clock.Now();
    samples.push_back(Nanoseconds(end - start) / calls);
    if (end - first >= until) return;
  }
}

double MedianOf(std::vector<double> values) { return SpreadOf(std::move(values)).median; }

}  // namespace

double RoundTimes::Best() const { return *std::min_element(least_ns.begin(), least_ns.end()); }
double RoundTimes::Median() const { return MedianOf(median_ns); }

std::vector<RoundTimes> TimeInTurn(const std::vector<std::function<void()>>& ways,
                                   const Clock& clock, const RoundOptions& options) {
  std::vector<int> calls;
  for (const auto& way : ways) calls.push_back(CallsPerSample(way, clock));
  const Duration slice = std::min(kSliceTime, options.min_time);
  const auto slices = std::max<int64_t>(1, options.min_time / std::max(slice, Duration(1)));
  std::vector<RoundTimes> times(ways.size());
  for (int round = 0; round < options.rounds; ++round) {
    std::vector<std::vector<double>> samples(ways.size());
    for (int64_t s = 0; s < slices; ++s) {
      for (size_t w = 0; w < ways.size(); ++w) Sample(ways[w], calls[w], clock, slice, samples[w]);
    }
    for (size_t w = 0; w < ways.size(); ++w) {
      times[w].least_ns.push_back(*std::min_element(samples[w].begin(), samples[w].end()));
      times[w].median_ns.push_back(MedianOf(samples[w]));
    }
  }
  return times;
}

Spread SpreadOf(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

Spread SpeedRatio(const RoundTimes& a, const RoundTimes& b) {
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(a.least_ns.size(), b.least_ns.size()); ++i) {
    ratios.push_back(b.least_ns[i] / a.least_ns[i]);
  }
  return SpreadOf(std::move(ratios));
}

}  // namespace braid::bench
