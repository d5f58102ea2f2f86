// Batches of a training set: a new order each epoch and light augmentation, both functions of
// (seed, epoch, step) alone, so that a resumed training sees the same images. Layer: training.
#pragma once

#include <cstdint>
#include <vector>

#include "braid/data/dataset.h"

namespace braid::training {

struct Augmentation {
  int shift = 0;      // moves by -shift..shift pixels each way; what comes in is 0 (black)
  bool flip = false;  // mirrors left and right half of the time
};

class Batches {
 public:
  // `dataset` must outlive this. The last, smaller batch of an epoch is dropped.
  Batches(const data::Dataset& dataset, int batch_size, Augmentation augmentation, uint64_t seed);

  int per_epoch() const { return dataset_.count / batch_size_; }
  int batch_size() const { return batch_size_; }

  // Images [batch, H, W, C] and targets of step `step` of `epoch`, both from 0.
  void Fill(int epoch, int step, std::vector<uint8_t>& images, std::vector<int64_t>& targets);

 private:
  void Shuffle(int epoch);

  const data::Dataset& dataset_;
  int batch_size_;
  Augmentation augmentation_;
  uint64_t seed_;
  int shuffled_epoch_ = -1;
  std::vector<int> order_;
};

// One image [H,W,C] moved by (dx, dy) and mirrored; `out` has the same size.
void MoveImage(const uint8_t* image, int height, int width, int channels, int dy, int dx,
               bool mirrored, uint8_t* out);

}  // namespace braid::training
