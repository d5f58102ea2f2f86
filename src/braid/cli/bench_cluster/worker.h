// One pinned device of `braid bench cluster` with its own source of images. Layer: cli.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "braid/base/clock.h"
#include "braid/base/status.h"

namespace braid::cli {

struct WorkerOptions {
  std::string model;       // path of a .braid file
  std::string name;        // device name
  std::vector<int> share;  // channel groups carried; empty: all
  std::string listen;      // address, empty: none
  std::string peer;        // address to dial, empty: none
  int peers_expected = 0;  // ready once so many peers are usable
  int cpu = -1;            // core to run on; -1: any
  double cpu_share = 1.0;  // emulates a slower processor: compute takes 1/share as long
  std::string kernels;     // path name; empty: the best
  std::string point;       // operating point of its own images; empty: sends none
  int in_flight = 1;       // requests kept open at a time
  int images = 1;          // per request
  Duration warmup = std::chrono::milliseconds(200);
  Duration measure = std::chrono::seconds(1);
};

// Runs the device until standard input closes. Standard output carries one JSON object a line:
// {"listening"} at once, {"ready"} when the expected peers are usable; after the line "go" on
// standard input it measures and prints {"images", "failed", "seconds", "latency_us":{...}, ...}.
Status RunWorker(const WorkerOptions& options);

}  // namespace braid::cli
