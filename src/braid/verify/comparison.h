// Whether this processor gives a model's bits: its test vectors run again and compared with the
// digests of the file. Layer: verify.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "braid/base/status.h"
#include "braid/kernels/path.h"
#include "braid/model/network.h"
#include "braid/model/test_vectors.h"
#include "braid/verify/recording.h"

namespace braid::verify {

// The one value that is known on both sides, where the scalar kernels on this processor still give
// the file's digest: then they tell what was expected.
struct DifferentElement {
  int image = 0;
  int y = 0, x = 0;
  int channel = 0;  // in the layer's channel order; of logits: the class
  int32_t expected = 0, got = 0;
};

// The first element in which two recordings of one slot differ: the same size, not the same bytes.
DifferentElement FirstDifferent(const model::Network& network, const RecordedMap& expected,
                                const RecordedMap& got);

// Where a path first leaves the file's digests: sub-networks in file order, then layers, then groups.
struct Difference {
  kernels::Path path = kernels::Path::kScalar;
  int sub_network = 0;
  model::DigestSlot slot;
  // None: the scalar kernels differ from the file too, so the weights or tables are other than those
  // of which the digests were taken, or this program's scalar kernels are wrong.
  std::optional<DifferentElement> element;
};

struct Comparison {
  int64_t compared = 0;  // digests recomputed, over all paths, until the first difference
  // Digests of maps that a path never writes to memory; what follows them is compared.
  int64_t skipped = 0;
  std::optional<Difference> difference;
};

// `network` is valid and has test images (FAILED_PRECONDITION otherwise). Paths are tried in order.
Result<Comparison> Compare(const model::Network& network, std::span<const kernels::Path> paths);

}  // namespace braid::verify
