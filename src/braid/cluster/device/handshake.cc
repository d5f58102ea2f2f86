#include "braid/cluster/device/handshake.h"

#include "braid/base/digest.h"

namespace braid::cluster {

control::DeviceId DeviceIdOf(const std::string& name) {
  const Sha256Digest digest =
      Sha256(std::span<const uint8_t>(reinterpret_cast<const uint8_t*>(name.data()), name.size()));
  uint64_t id = 0;
  for (size_t i = 0; i < 8; ++i) id |= uint64_t{digest[i]} << (8 * i);
  return static_cast<control::DeviceId>(id);
}

Status JudgeHello(const Hello& ours, const Hello& theirs, int groups) {
  if (theirs.version != ours.version) {
    return FailedPrecondition("wire version " + std::to_string(theirs.version) + ", here " +
                              std::to_string(ours.version));
  }
  // The other group's name is not repeated: it is not this group's business.
  if (theirs.group != ours.group) return FailedPrecondition("another group");
  if (theirs.device.empty()) return InvalidArgument("hello.device: empty");
  if (theirs.model_digest != ours.model_digest) {
    return FailedPrecondition("another model: " + theirs.model_digest.substr(0, 12) + ", here " +
                              ours.model_digest.substr(0, 12));
  }
  if (theirs.device == ours.device) {
    return FailedPrecondition(theirs.incarnation == ours.incarnation
                                  ? "this is the device itself"
                                  : "the name '" + ours.device + "' is taken");
  }
  if (theirs.share.empty() || !GroupSet::First(groups).ContainsAll(theirs.share)) {
    return InvalidArgument("hello.share: not a set of the model's channel groups");
  }
  if (theirs.credit == 0) return InvalidArgument("hello.credit: must not be 0");
  return OkStatus();
}

}  // namespace braid::cluster
