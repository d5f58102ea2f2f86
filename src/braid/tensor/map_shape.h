// The shape of a feature map, [N,H,W,C] in memory order. Layer: tensor.
#pragma once

#include <cstdint>
#include <string>

namespace braid {

// NHWC: channels are contiguous. A dimension of 0 makes an empty map.
struct MapShape {
  int n = 0;
  int h = 0;
  int w = 0;
  int c = 0;

  int64_t Elements() const { return int64_t{n} * h * w * c; }
  bool operator==(const MapShape&) const = default;
  std::string ToString() const {
    return "[" + std::to_string(n) + "," + std::to_string(h) + "," + std::to_string(w) + "," +
           std::to_string(c) + "]";
  }
};

}  // namespace braid
