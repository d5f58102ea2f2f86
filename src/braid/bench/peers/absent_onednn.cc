// Stands where oneDNN was not found when the program was configured. Layer: bench.
#include "braid/bench/contender.h"

namespace braid::bench {
namespace {

constexpr char kWhy[] = "not found when built: install libdnnl-dev and configure again";

}  // namespace

Library OnednnLibrary(bool) {
  return {.name = "onednn", .version = "", .why_absent = kWhy, .make = nullptr};
}
Library OnednnFloatLibrary(bool) {
  return {.name = "onednn_f32", .version = "", .why_absent = kWhy, .make = nullptr};
}

}  // namespace braid::bench
