// Test vectors: whole images, and one digest for each map of each sub-network.
#include <fmt/format.h>

#include "braid/model/limits.h"
#include "braid/model/test_vectors.h"
#include "braid/model/validate.h"

namespace braid::model {

Status ValidateTestVectors(const Network& network) {
  const int64_t image = int64_t{network.input_h} * network.input_w * network.input_c;
  const auto bytes = static_cast<int64_t>(network.test_images.size());
  if (bytes % image != 0 || bytes / image > kMaxTestImages) {
    return FieldError("test_images", fmt::format("{} bytes, expected 0..{} images of {} bytes",
                                                 bytes, kMaxTestImages, image));
  }
  for (size_t s = 0; s < network.sub_networks.size(); ++s) {
    const SubNetwork& sub_network = network.sub_networks[s];
    const size_t expected =
        bytes == 0 ? 0 : kShortDigestBytes * DigestSlots(network, sub_network.groups).size();
    if (sub_network.map_digests.size() != expected) {
      return FieldError(fmt::format("sub_networks[{}].map_digests", s),
                        fmt::format("{} bytes, expected {}", sub_network.map_digests.size(),
                                    expected));
    }
  }
  return OkStatus();
}

}  // namespace braid::model
