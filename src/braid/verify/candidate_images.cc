#include "braid/verify/candidate_images.h"

#include <algorithm>

#include "braid/base/rng.h"

namespace braid::verify {
namespace {

// One channel of one picture.
class Plane {
 public:
  Plane(int height, int width, Rng& rng) : height_(height), width_(width), rng_(rng) {}

  std::vector<uint8_t> Draw(int form) {
    low_ = static_cast<int>(rng_.Between(0, 127));
    high_ = static_cast<int>(rng_.Between(128, 255));
    switch (form) {
      case 0:
        return Noise();
      case 1:
        return Blobs();
      case 2:
        return Stripes();
      default:
        return Strokes();
    }
  }

 private:
  // 0 gives the low value, 255 the high one.
  uint8_t Shade(int level) const {
    return static_cast<uint8_t>(low_ + (high_ - low_) * level / 255);
  }

  template <typename Level>
  std::vector<uint8_t> Fill(Level level) const {
    std::vector<uint8_t> plane;
    for (int y = 0; y < height_; ++y) {
      for (int x = 0; x < width_; ++x) plane.push_back(Shade(level(y, x)));
    }
    return plane;
  }

  std::vector<uint8_t> Noise() {
    return Fill([&](int, int) { return static_cast<int>(rng_.Between(0, 255)); });
  }

  // Random levels at the corners of coarse cells, blended linearly between them.
  std::vector<uint8_t> Blobs() {
    const int cell = static_cast<int>(rng_.Between(3, 9));
    const int columns = width_ / cell + 2;
    std::vector<int> corners;
    for (int i = 0; i < columns * (height_ / cell + 2); ++i) {
      corners.push_back(static_cast<int>(rng_.Between(0, 255)));
    }
    return Fill([&](int y, int x) {
      const int cy = y / cell, cx = x / cell, fy = y % cell, fx = x % cell;
      const auto corner = [&](int dy, int dx) {
        return corners[static_cast<size_t>((cy + dy) * columns + cx + dx)];
      };
      const int upper = corner(0, 0) * (cell - fx) + corner(0, 1) * fx;
      const int lower = corner(1, 0) * (cell - fx) + corner(1, 1) * fx;
      return (upper * (cell - fy) + lower * fy) / (cell * cell);
    });
  }

  std::vector<uint8_t> Stripes() {
    const int dy = static_cast<int>(rng_.Between(-4, 4));
    const int dx = static_cast<int>(rng_.Between(-4, 4));
    const int period = static_cast<int>(rng_.Between(4, 24));
    return Fill([&](int y, int x) {
      const int phase = ((y * dy + x * dx) % period + period) % period;
      return 2 * phase < period ? 0 : 255;
    });
  }

  // A few thick straight lines on the low value.
  std::vector<uint8_t> Strokes() {
    std::vector<int> levels(static_cast<size_t>(height_ * width_), 0);
    const int strokes = static_cast<int>(rng_.Between(2, 6));
    for (int s = 0; s < strokes; ++s) {
      const int64_t y0 = rng_.Between(0, height_ - 1), x0 = rng_.Between(0, width_ - 1);
      const int64_t y1 = rng_.Between(0, height_ - 1), x1 = rng_.Between(0, width_ - 1);
      const int64_t steps = std::max<int64_t>(1, height_ + width_);
      const int64_t thick = rng_.Between(0, 2);
      for (int64_t i = 0; i <= steps; ++i) {
        const int64_t y = y0 + (y1 - y0) * i / steps, x = x0 + (x1 - x0) * i / steps;
        for (int64_t yy = y; yy <= std::min<int64_t>(y + thick, height_ - 1); ++yy) {
          for (int64_t xx = x; xx <= std::min<int64_t>(x + thick, width_ - 1); ++xx) {
            levels[static_cast<size_t>(yy * width_ + xx)] = 255;
          }
        }
      }
    }
    return Fill([&](int y, int x) { return levels[static_cast<size_t>(y * width_ + x)]; });
  }

  int height_, width_;
  Rng& rng_;
  int low_ = 0, high_ = 255;
};

}  // namespace

std::vector<uint8_t> CandidateImages(int count, int height, int width, int channels,
                                     uint64_t seed) {
  std::vector<uint8_t> images;
  Rng rng(seed);
  for (int i = 0; i < count; ++i) {
    // [channels][H,W], then interleaved.
    std::vector<std::vector<uint8_t>> planes;
    for (int c = 0; c < channels; ++c) planes.push_back(Plane(height, width, rng).Draw(i % 4));
    for (size_t pixel = 0; pixel < planes.front().size(); ++pixel) {
      for (const std::vector<uint8_t>& plane : planes) images.push_back(plane[pixel]);
    }
  }
  return images;
}

}  // namespace braid::verify
