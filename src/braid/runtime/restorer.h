// Runs a restoring network over images of any size, tile by tile, with the answer of the whole
// image bit for bit and memory that does not grow with it. Layer: runtime.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "braid/base/status.h"
#include "braid/kernels/path.h"
#include "braid/model/network.h"
#include "braid/runtime/execution.h"

namespace braid::runtime {

struct RestorerOptions {
  kernels::Path path = kernels::Path::kScalar;
  ThreadOptions threads = {};
  // Largest side of a tile in pixels. 0: 256, or four radii where that is more, so that at least a
  // quarter of the work is not done twice.
  int tile = 0;
};

// Where tiles of `tile` pixels lie along `size` pixels of which each is answered by one tile: a
// tile's edge is the image's own, or `radius` pixels of the tile at it are left to its neighbour.
struct TileSpan {
  int start = 0;           // of the tile
  int begin = 0, end = 0;  // the pixels that it answers
};
// 0 < tile; 2 * radius < tile where tile < size.
std::vector<TileSpan> CutIntoTiles(int size, int tile, int radius);

// Not thread-safe: one thread at a time.
class Restorer {
 public:
  // For the sub-network of `point`. `network` passed Validate and must outlive this.
  // INVALID_ARGUMENT where it does not restore images (model::RestorationRadius), where the point
  // adds several sub-networks, or where the tile is no larger than what its edges lose.
  static Result<std::unique_ptr<Restorer>> Make(const model::Network& network,
                                                const model::OperatingPoint& point,
                                                const RestorerOptions& options);
  ~Restorer();

  // `pixels` [height, width] -> the restored ones (numerics.md, eq. 20). INVALID_ARGUMENT when the
  // size does not fit or is none.
  Result<std::vector<uint8_t>> Restore(std::span<const uint8_t> pixels, int height, int width);

  int radius() const { return radius_; }
  int tile() const { return tile_; }

 private:
  struct Engine;  // the network for one size of tile
  Restorer(const model::Network& network, int sub_network, int radius, int tile,
           const RestorerOptions& options);
  Result<Engine*> EngineFor(int height, int width);

  const model::Network& network_;
  const int sub_network_, radius_, tile_;
  const RestorerOptions options_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace braid::runtime
