#include "braid/runtime/restorer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "braid/base/check.h"
#include "braid/model/file.h"
#include "braid/model/restoration.h"

namespace braid::runtime {
namespace {

constexpr int kUsualTile = 256;

}  // namespace

// What runs tiles of one size. Members depend on the ones before them.
struct Restorer::Engine {
  int height = 0, width = 0;
  model::Network network;
  std::unique_ptr<PreparedModel> prepared;
  std::unique_ptr<Plan> plan;
  std::unique_ptr<Execution> execution;
};

std::vector<TileSpan> CutIntoTiles(int size, int tile, int radius) {
  BRAID_CHECK(size > 0 && tile > 0 && radius >= 0 && (tile >= size || tile > 2 * radius));
  if (tile >= size) return {{0, 0, size}};
  std::vector<TileSpan> tiles;
  int done = 0;
  while (done < size) {
    // The last tile ends with the image, however much it shares with the one before it.
    const int start = std::min(std::max(0, done - radius), size - tile);
    const int end = start + tile == size ? size : start + tile - radius;
    tiles.push_back({start, done, end});
    done = end;
  }
  return tiles;
}

Restorer::Restorer(const model::Network& network, int sub_network, int radius, int tile,
                   const RestorerOptions& options)
    : network_(network),
      sub_network_(sub_network),
      radius_(radius),
      tile_(tile),
      options_(options) {}

Restorer::~Restorer() = default;

Result<std::unique_ptr<Restorer>> Restorer::Make(const model::Network& network,
                                                 const model::OperatingPoint& point,
                                                 const RestorerOptions& options) {
  BRAID_ASSIGN_OR_RETURN(const int radius, model::RestorationRadius(network));
  if (point.terms.size() != 1) {
    return InvalidArgument("operating point " + point.name +
                           ": what several sub-networks add to an image has no sum");
  }
  const int tile = options.tile > 0 ? options.tile : std::max(kUsualTile, 4 * radius);
  if (tile <= 2 * radius) {
    return InvalidArgument("tile: " + std::to_string(tile) + " pixels, expected more than the " +
                           std::to_string(2 * radius) + " that its edges lose");
  }
  return std::unique_ptr<Restorer>(
      new Restorer(network, point.terms.front(), radius, tile, options));
}

Result<Restorer::Engine*> Restorer::EngineFor(int height, int width) {
  if (engine_ != nullptr && engine_->height == height && engine_->width == width) {
    return engine_.get();
  }
  auto engine = std::make_unique<Engine>();
  engine->height = height;
  engine->width = width;
  BRAID_ASSIGN_OR_RETURN(engine->network, model::WithInputSize(network_, height, width));
  BRAID_RETURN_IF_ERROR(model::Validate(engine->network));
  const GroupSet groups = network_.sub_networks[static_cast<size_t>(sub_network_)].groups;
  BRAID_ASSIGN_OR_RETURN(engine->prepared, PreparedModel::Prepare(engine->network, groups,
                                                                  options_.path, options_.threads));
  BRAID_ASSIGN_OR_RETURN(
      engine->plan,
      Plan::Make(*engine->prepared, {.groups = groups, .local = groups, .exits = false}));
  engine->execution = Execution::Create(*engine->plan);
  if (engine->execution == nullptr) {
    return ResourceExhausted("no memory for tiles of " + std::to_string(width) + "x" +
                             std::to_string(height));
  }
  engine_ = std::move(engine);
  return engine_.get();
}

Result<std::vector<uint8_t>> Restorer::Restore(std::span<const uint8_t> pixels, int height,
                                               int width) {
  if (height < 1 || width < 1 ||
      pixels.size() != static_cast<size_t>(height) * static_cast<size_t>(width)) {
    return InvalidArgument("pixels: " + std::to_string(pixels.size()) + ", expected those of " +
                           std::to_string(width) + "x" + std::to_string(height));
  }
  const auto row = static_cast<size_t>(width);
  const int tile_h = std::min(tile_, height), tile_w = std::min(tile_, width);
  BRAID_ASSIGN_OR_RETURN(Engine* const engine, EngineFor(tile_h, tile_w));
  const auto tile_row = static_cast<size_t>(tile_w);
  const auto head = static_cast<model::LayerIndex>(network_.layers.size()) - 1;
  std::vector<uint8_t> restored(pixels.size()), tile(static_cast<size_t>(tile_h) * tile_row);
  std::vector<int32_t> logits(tile.size());
  for (const TileSpan& down : CutIntoTiles(height, tile_h, radius_)) {
    for (const TileSpan& across : CutIntoTiles(width, tile_w, radius_)) {
      for (int y = 0; y < tile_h; ++y) {
        const auto from =
            pixels.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(down.start + y) * row +
                                                         static_cast<size_t>(across.start));
        std::copy_n(from, tile_row,
                    tile.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(y) * tile_row));
      }
      BRAID_RETURN_IF_ERROR(engine->execution->Start(tile, 1));
      while (engine->execution->Resume() != Step::kDone) {
      }
      const std::span<const int32_t> sums = engine->execution->Logits();
      std::copy(sums.begin(), sums.end(), logits.begin());
      FinishLogits(engine->network, sub_network_, head, logits);
      for (int y = down.begin; y < down.end; ++y) {
        for (int x = across.begin; x < across.end; ++x) {
          const size_t at = static_cast<size_t>(y) * row + static_cast<size_t>(x);
          const size_t in_tile = static_cast<size_t>(y - down.start) * tile_row +
                                 static_cast<size_t>(x - across.start);
          restored[at] = model::RestoredPixel(pixels[at], logits[in_tile]);
        }
      }
    }
  }
  return restored;
}

}  // namespace braid::runtime
