// Shuffling and augmentation. Layer: training.
#include "braid/training/batches.h"

#include <cstring>
#include <numeric>
#include <utility>

#include "braid/base/rng.h"

namespace braid::training {
namespace {

// Distinct streams for distinct (seed, epoch, step): odd multipliers spread them over 64 bits.
uint64_t StreamSeed(uint64_t seed, int epoch, int step) {
  return seed * 0x9E3779B97F4A7C15ull + static_cast<uint64_t>(epoch + 1) * 0xBF58476D1CE4E5B9ull +
         static_cast<uint64_t>(step + 1) * 0x94D049BB133111EBull;
}

}  // namespace

Batches::Batches(const data::Dataset& dataset, int batch_size, Augmentation augmentation,
                 uint64_t seed)
    : dataset_(dataset), batch_size_(batch_size), augmentation_(augmentation), seed_(seed) {}

void Batches::Shuffle(int epoch) {
  if (epoch == shuffled_epoch_) return;
  order_.resize(static_cast<size_t>(dataset_.count));
  std::iota(order_.begin(), order_.end(), 0);
  Rng rng(StreamSeed(seed_, epoch, -1));
  for (size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[rng.Below(i)]);
  shuffled_epoch_ = epoch;
}

void Batches::Fill(int epoch, int step, std::vector<uint8_t>& images,
                   std::vector<int64_t>& targets) {
  Shuffle(epoch);
  const size_t bytes = dataset_.ImageBytes();
  images.resize(bytes * static_cast<size_t>(batch_size_));
  targets.resize(static_cast<size_t>(batch_size_));
  Rng rng(StreamSeed(seed_, epoch, step));
  const int shift = augmentation_.shift;
  for (int i = 0; i < batch_size_; ++i) {
    const int index = order_[static_cast<size_t>(step) * static_cast<size_t>(batch_size_) +
                             static_cast<size_t>(i)];
    const auto dy = static_cast<int>(shift > 0 ? rng.Between(-shift, shift) : 0);
    const auto dx = static_cast<int>(shift > 0 ? rng.Between(-shift, shift) : 0);
    const bool mirrored = augmentation_.flip && rng.Below(2) == 1;
    MoveImage(dataset_.Image(index).data(), dataset_.height, dataset_.width, dataset_.channels, dy,
              dx, mirrored, images.data() + static_cast<size_t>(i) * bytes);
    targets[static_cast<size_t>(i)] = dataset_.targets[static_cast<size_t>(index)];
  }
}

void MoveImage(const uint8_t* image, int height, int width, int channels, int dy, int dx,
               bool mirrored, uint8_t* out) {
  const auto pixel = static_cast<size_t>(channels);
  const auto row_bytes = static_cast<size_t>(width) * pixel;
  for (int y = 0; y < height; ++y) {
    uint8_t* to = out + static_cast<size_t>(y) * row_bytes;
    const int from_y = y - dy;
    if (from_y < 0 || from_y >= height) {
      std::memset(to, 0, row_bytes);
      continue;
    }
    const uint8_t* from = image + static_cast<size_t>(from_y) * row_bytes;
    for (int x = 0; x < width; ++x) {
      int from_x = x - dx;
      if (from_x < 0 || from_x >= width) {
        std::memset(to + static_cast<size_t>(x) * pixel, 0, pixel);
        continue;
      }
      if (mirrored) from_x = width - 1 - from_x;
      std::memcpy(to + static_cast<size_t>(x) * pixel, from + static_cast<size_t>(from_x) * pixel,
                  pixel);
    }
  }
}

}  // namespace braid::training
