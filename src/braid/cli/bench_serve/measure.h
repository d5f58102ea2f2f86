// What `braid bench serve` measures at one door, and how it is written down. Layer: cli.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/cli/bench_serve/load.h"
#include "braid/cli/report.h"

namespace braid::cli {

// Who answers: the echo server, ONNX Runtime behind the same thin server, or a device.
enum class Side : uint8_t { kEcho, kOnnxRuntime, kDevice };

struct DoorBench {
  std::string door;  // "grpc" or "rest"
  int in_flight = 16;
  int rounds = 3;
  Duration measure = std::chrono::seconds(1);
  Duration overload = std::chrono::seconds(10);  // zero: none
  double overload_factor = 3;
  Duration deadline = std::chrono::milliseconds(50);
  int most_open = 256;  // requests that the client keeps open at a fixed rate; others are unsent
  bool onnxruntime = false;  // that side is there
  // Opens a port for so many requests at a time, without bookkeeping of a client where `bare`.
  std::function<Result<std::unique_ptr<LoadPort>>(Side side, int connections, Duration deadline,
                                                  bool bare)>
      open;
  std::function<int64_t()> device_resident_bytes;
};

// Rounds of all sides in turn; then half of the device's rate; then the overload, and a
// second after it. One JSON object; keys: docs/cli.md.
Result<Json> MeasureDoor(const DoorBench& bench);

}  // namespace braid::cli
