#include "braid/serving/service_rate.h"

#include <algorithm>

namespace braid::serving {

void SmoothedDuration::Add(Duration sample) {
  if (mean_ == Duration{}) {
    mean_ = sample;
    deviation_ = sample / 2;
    return;
  }
  const Duration error = sample > mean_ ? sample - mean_ : mean_ - sample;
  deviation_ += (error - deviation_) / 4;
  mean_ += (sample - mean_) / 8;
}

void ServiceRate::Add(TimePoint begun, TimePoint ended, int64_t images_ahead, int images) {
  if (images < 1) return;
  // Executions overlap: while one is answered the next one runs already. The device was busy with
  // this one since it came or since the former one ended, whichever is later.
  const Duration busy = ended - std::max(begun, last_end_);
  last_end_ = ended;
  per_image_.Add(std::max(Duration{1}, busy / images));
  overhead_.Add(std::max(Duration{1}, ended - begun - per_image_.mean() * (images_ahead + images)));
}

Duration ServiceRate::Expect(int64_t images_ahead, int images) const {
  if (per_image_.mean() == Duration{}) return {};
  return per_image_.Pessimistic() * (images_ahead + images) + overhead_.mean();
}

}  // namespace braid::serving
