#include "fuzz/targets.h"

#include <array>

namespace braid::fuzz {

std::span<const Target> Targets() {
  static const std::array all = {kModelFile,   kFrames,     kTlsChannel, kPeer,      kHttp,
                                 kRestJson,    kRestBinary, kGrpcInfer,  kNames,     kRepository,
                                 kSecretFiles, kOnnx,       kImage,      kDataFiles, kScenario};
  return all;
}

const Target* FindTarget(std::string_view name) {
  for (const Target& target : Targets()) {
    if (target.name == name) return &target;
  }
  return nullptr;
}

}  // namespace braid::fuzz
