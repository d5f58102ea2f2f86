// Stands where FBGEMM was not found when the program was configured. Layer: bench.
#include "braid/bench/contender.h"

namespace braid::bench {

Library FbgemmLibrary(bool) {
  return {.name = "fbgemm",
          .version = "",
          .why_absent = "not found when built: configure with -DBRAID_FBGEMM_ROOT=FOLDER",
          .make = nullptr};
}

}  // namespace braid::bench
