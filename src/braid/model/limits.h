// What a model may hold at most: far above what the devices that Braid is for can run, far below
// what would let a small hostile file take a machine's memory or time. Layer: model.
#pragma once

#include <cstdint>

namespace braid::model {

// FlatBuffers offsets end at 2 GiB; half of it keeps every sum of offsets in 32 bits.
inline constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;
inline constexpr int kMaxLayers = 4096;
// Maps that one layer reads. The blocks of published dense networks have up to 49.
inline constexpr int kMaxInputs = 64;
inline constexpr int kMaxSubNetworks = 4096;
// Table sets in all (layers x sub-networks): each costs about 100 bytes once loaded, whatever the
// file holds for it.
inline constexpr int64_t kMaxTableSets = int64_t{1} << 18;
inline constexpr int kMaxPoints = 4096;
inline constexpr int kMaxClasses = 1 << 16;
inline constexpr int kMaxChannels = 1 << 16;
// Height or width of a map, padding included.
inline constexpr int kMaxMapSide = 1 << 14;
// One image's map at one layer: 2^28 elements are 1 GiB as s32.
inline constexpr int64_t kMaxMapElements = int64_t{1} << 28;
inline constexpr int64_t kMaxWeightElements = int64_t{1} << 30;
inline constexpr int64_t kMaxTestImages = 64;
inline constexpr int kMaxNameBytes = 128;
inline constexpr int kMaxCardBytes = 1 << 20;
// A divided layer's group is a whole number of these: vector kernels read 4 input channels at once.
inline constexpr int kChannelMultiple = 4;

}  // namespace braid::model
