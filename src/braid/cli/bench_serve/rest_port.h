// Inference requests over REST with binary tensors, on many kept connections. Layer: cli.
#pragma once

#include <memory>
#include <string>

#include "braid/base/status.h"
#include "braid/cli/bench_serve/load.h"

namespace braid::cli {

struct RestPortOptions {
  std::string address;  // "127.0.0.1:port"
  std::string model;
  int height = 0, width = 0, channels = 0;
  int connections = 16;
  double deadline_ms = 0;  // as braid_deadline_ms; 0: none
};

// One thread reads the answers of all connections. UNAVAILABLE when one cannot be made.
Result<std::unique_ptr<LoadPort>> OpenRestPort(const RestPortOptions& options);

}  // namespace braid::cli
