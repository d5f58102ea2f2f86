// How long the device needs for an image and for a whole execution, learned from what it did.
// Layer: serving. Pure.
#pragma once

#include "braid/base/clock.h"

namespace braid::serving {

// Mean and mean deviation of a stream of durations, both smoothed by an eighth and a quarter, as
// TCP estimates its round trips (RFC 6298): one late sample widens the estimate at once, calm
// narrows it slowly.
class SmoothedDuration {
 public:
  void Add(Duration sample);
  Duration mean() const { return mean_; }
  // What all but a few samples stay below; zero while there was none.
  Duration Pessimistic() const { return mean_ + 2 * deviation_; }

 private:
  Duration mean_{};
  Duration deviation_{};
};

class ServiceRate {
 public:
  // An execution of `images` was handed to the device at `begun`, when it had `images_ahead` of
  // earlier ones, and answered at `ended`.
  void Add(TimePoint begun, TimePoint ended, int64_t images_ahead, int images);

  // Time between answers of the device while it is busy, for one image; zero while unknown.
  Duration per_image() const { return per_image_.mean(); }
  // Until a request that comes now is answered when `images_ahead` wait or run before its own
  // `images`. Pessimistic; zero while unknown.
  Duration Expect(int64_t images_ahead, int images) const;

 private:
  SmoothedDuration per_image_;
  SmoothedDuration overhead_;  // of an execution beyond its images: hops between threads, links
  TimePoint last_end_{};
};

}  // namespace braid::serving
