#include "braid/verify/test_vectors.h"

#include <algorithm>
#include <vector>

#include "braid/model/file.h"
#include "braid/model/limits.h"
#include "braid/verify/candidate_images.h"
#include "braid/verify/recording.h"

namespace braid::verify {
namespace {

using model::Network;

constexpr int kFewestImages = 2;
constexpr uint64_t kCandidateSeed = 1;
// Candidates are recorded one by one and their maps kept while choosing; large networks look at
// fewer of them.
constexpr int64_t kMapBytesKept = int64_t{1} << 28;

// The maps that one candidate leaves, per sub-network.
struct Candidate {
  std::span<const uint8_t> image;
  std::vector<std::vector<RecordedMap>> maps;
  bool chosen = false;
};

int64_t Bytes(const Candidate& candidate) {
  int64_t bytes = 0;
  for (const auto& maps : candidate.maps) {
    for (const RecordedMap& map : maps) bytes += static_cast<int64_t>(map.bytes.size());
  }
  return bytes;
}

Result<std::vector<Candidate>> RecordAll(const Network& network, const Recorder& recorder,
                                         std::span<const uint8_t> images, size_t image_bytes) {
  std::vector<Candidate> candidates;
  int64_t kept = 0;
  for (size_t at = 0; at < images.size(); at += image_bytes) {
    Candidate candidate{.image = images.subspan(at, image_bytes), .maps = {}};
    for (int s = 0; s < static_cast<int>(network.sub_networks.size()); ++s) {
      BRAID_ASSIGN_OR_RETURN(auto maps, recorder.Record(s, candidate.image));
      candidate.maps.push_back(std::move(maps));
    }
    kept += Bytes(candidate);
    candidates.push_back(std::move(candidate));
    if (kept > kMapBytesKept && candidates.size() >= size_t{kFewestImages}) break;
  }
  return candidates;
}

}  // namespace

Result<AddedVectors> AddTestVectors(Network& network, std::span<const uint8_t> pictures) {
  network.test_images.clear();
  for (model::SubNetwork& sub_network : network.sub_networks) sub_network.map_digests.clear();
  BRAID_RETURN_IF_ERROR(model::Validate(network));

  const size_t image_bytes = static_cast<size_t>(network.input_h) *
                             static_cast<size_t>(network.input_w) *
                             static_cast<size_t>(network.input_c);
  if (pictures.size() % image_bytes != 0) return InvalidArgument("pictures: no whole images");
  // Alternating, so that a cut keeps some of both.
  const std::vector<uint8_t> generated = CandidateImages(
      kGeneratedCandidates, network.input_h, network.input_w, network.input_c, kCandidateSeed);
  std::vector<uint8_t> images;
  for (size_t i = 0; i < std::max<size_t>(kGeneratedCandidates, kRealCandidates); ++i) {
    for (const std::span<const uint8_t> from : {pictures, std::span<const uint8_t>(generated)}) {
      const size_t limit = from.data() == pictures.data() ? kRealCandidates : kGeneratedCandidates;
      if (i >= limit || (i + 1) * image_bytes > from.size()) continue;
      const auto image = from.subspan(i * image_bytes, image_bytes);
      images.insert(images.end(), image.begin(), image.end());
    }
  }

  BRAID_ASSIGN_OR_RETURN(const Recorder recorder, Recorder::Make(network, kernels::BestPath()));
  BRAID_ASSIGN_OR_RETURN(std::vector<Candidate> candidates,
                         RecordAll(network, recorder, images, image_bytes));
  const auto subs = static_cast<int>(network.sub_networks.size());
  const int wanted =
      std::max(kFewestImages, static_cast<int>(kImageBytes / std::max<size_t>(image_bytes, 1)));
  Exercise exercise(network);
  std::vector<uint8_t> test_images;
  int chosen = 0;
  while (chosen < std::min<int>(wanted, model::kMaxTestImages)) {
    Candidate* best = nullptr;
    int64_t best_gain = -1;
    for (Candidate& candidate : candidates) {
      if (candidate.chosen) continue;
      int64_t gain = 0;
      for (int s = 0; s < subs; ++s) {
        gain += exercise.Gain(s, candidate.maps[static_cast<size_t>(s)]);
      }
      if (gain > best_gain) best = &candidate, best_gain = gain;
    }
    if (best == nullptr || (best_gain == 0 && chosen >= kFewestImages)) break;
    best->chosen = true;
    for (int s = 0; s < subs; ++s) exercise.Add(s, best->maps[static_cast<size_t>(s)]);
    test_images.insert(test_images.end(), best->image.begin(), best->image.end());
    ++chosen;
  }

  // Digests are the reference's: the law, wherever the file was made.
  BRAID_ASSIGN_OR_RETURN(const Recorder scalar, Recorder::Make(network, kernels::Path::kScalar));
  for (int s = 0; s < subs; ++s) {
    BRAID_ASSIGN_OR_RETURN(const std::vector<RecordedMap> maps, scalar.Record(s, test_images));
    for (const RecordedMap& map : maps) {
      if (map.bytes.empty()) return Internal("the scalar kernels left a map out");
      const model::ShortDigest digest = model::ShortDigestOf(map.bytes);
      auto& digests = network.sub_networks[static_cast<size_t>(s)].map_digests;
      digests.insert(digests.end(), digest.begin(), digest.end());
    }
  }
  network.test_images = std::move(test_images);
  return AddedVectors{.images = chosen, .exercise = exercise.Count()};
}

}  // namespace braid::verify
