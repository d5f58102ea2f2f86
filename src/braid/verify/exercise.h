// How much of a model a set of images exercises: which channels take values that depend on their
// weights and tables. Layer: verify.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "braid/model/network.h"
#include "braid/verify/recording.h"

namespace braid::verify {

// Counts over all layers; tables over all sub-networks.
struct ExerciseCounts {
  int64_t weights = 0, exercised_weights = 0;
  int64_t table_channels = 0, exercised_table_channels = 0;
};

// What has been seen so far. A channel is *live* where one of its values lies strictly between the
// bounds of its kind and is not 0: clamping does not hide its bias, multiplier or products there. It
// *feeds* where one of its values is not 0. A weight is exercised where its input channel feeds and
// its output channel is live, in the same sub-network; logits are always live.
class Exercise {
 public:
  // `network` must be valid and outlive this.
  explicit Exercise(const model::Network& network);

  // Takes the maps of one sub-network into account. Returns how many channels became live.
  int64_t Add(int sub_network, std::span<const RecordedMap> maps);
  // How many channels Add would make live; changes nothing.
  int64_t Gain(int sub_network, std::span<const RecordedMap> maps) const;

  ExerciseCounts Count() const;

 private:
  using Channels = std::vector<bool>;
  struct Seen {
    std::vector<Channels> live, feeds;  // [layers][channels]
  };
  template <typename Visit>
  void ForEachChannel(const RecordedMap& map, Visit visit) const;

  const model::Network& network_;
  std::vector<Seen> seen_;  // [sub_networks]
};

}  // namespace braid::verify
