// What a device shows to Prometheus. Layer: serving. Names: docs/serving.md, "Metrics".
#pragma once

#include <string>

#include "braid/serving/catalog.h"

namespace braid::serving {

struct MetricsOptions {
  bool triton_names = false;  // also nv_inference_*, for boards and tools made for Triton
  std::string version = "0";  // of the program
};

std::string Metrics(const Catalog& catalog, const MetricsOptions& options);

}  // namespace braid::serving
