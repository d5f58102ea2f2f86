// An inference on its way from a door to the device and back. Layer: serving.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/cluster/device.h"
#include "braid/control/controller.h"

namespace braid::serving {

// Lower is sooner, as in Triton, whose 0 ("no wish") stands here in the middle.
inline constexpr int kHighestPriority = 1;
inline constexpr int kDefaultPriority = 100;
inline constexpr int kLowestPriority = 200;

// A request's part of what the device answered to a batch.
struct Answer {
  std::shared_ptr<const cluster::InferResult> result;  // shared by the requests of the batch
  int first_image = 0;
  int images = 0;
};

struct Job {
  std::vector<uint8_t> pixels;      // [images,H,W,C]
  control::Constraints constraints;  // images among them; `remaining` is the deadline's business
  TimePoint arrived{};               // as early as the door can know
  std::optional<TimePoint> deadline;
  int priority = kDefaultPriority;
  Duration parsing{};  // time that the door took to read it, for statistics
  // Called exactly once, on any thread; must not block.
  std::function<void(const Result<Answer>&)> done;
};

}  // namespace braid::serving
