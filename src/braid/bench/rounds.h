// Times several ways of doing one thing in turn, so that a drift of the machine meets all of them.
// Layer: bench.
#pragma once

#include <functional>
#include <vector>

#include "braid/base/clock.h"

namespace braid::bench {

struct RoundOptions {
  int rounds = 9;
  Duration min_time = std::chrono::milliseconds(20);  // for one way in one round
};

// Nanoseconds of one call in each round: its least and its median over the round's samples, where
// a sample is as many calls as fill kSampleTime.
struct RoundTimes {
  std::vector<double> least_ns, median_ns;  // [rounds]
  double Best() const;                      // least of all rounds
  double Median() const;                    // median of the rounds' medians
};

// Every way once a round, in slices of a few samples each; ways are warmed up first.
std::vector<RoundTimes> TimeInTurn(const std::vector<std::function<void()>>& ways,
                                   const Clock& clock, const RoundOptions& options);

struct Spread {
  double median = 0, least = 0, greatest = 0;
};
Spread SpreadOf(std::vector<double> values);

// How many times as fast `a` is as `b`, round by round, by the least times.
Spread SpeedRatio(const RoundTimes& a, const RoundTimes& b);

}  // namespace braid::bench
