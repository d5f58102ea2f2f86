// Inference requests over gRPC, through the project's client or bare. Layer: cli.
#pragma once

#include <memory>
#include <string>

#include "braid/base/status.h"
#include "braid/cli/bench_serve/load.h"

namespace braid::cli {

struct GrpcPortOptions {
  std::string address;
  std::string model;
  int height = 0, width = 0, channels = 0;
  Duration deadline = std::chrono::seconds(1);
  int most_open = 1024;  // requests at a time; the client refuses those beyond its own limit
};

Result<std::unique_ptr<LoadPort>> OpenGrpcPort(const GrpcPortOptions& options);

// Over the generated stub, with none of the client's bookkeeping: what limits the rate is then the
// server. Deadlines go with the calls.
Result<std::unique_ptr<LoadPort>> OpenStubPort(const GrpcPortOptions& options);

}  // namespace braid::cli
