#include "braid/data/restoration/measurement.h"

#include <utility>

namespace braid::data {

Result<std::vector<SetPsnr>> MeasurePsnr(const std::vector<DegradedSet>& sets,
                                         const Restore& restore) {
  std::vector<SetPsnr> all;
  for (const DegradedSet& set : sets) {
    for (size_t level = 0; level < set.levels.size(); ++level) {
      SetPsnr psnr{set.name, set.degradation, set.levels[level], 0, 0};
      const int border = BorderOf(set.degradation, psnr.level);
      const auto count = static_cast<double>(set.originals.images.size());
      for (size_t image = 0; image < set.originals.images.size(); ++image) {
        const ImagePair pair = PairOf(set, level, image);
        BRAID_ASSIGN_OR_RETURN(const LumaImage restored, restore(pair.degraded));
        psnr.degraded += Psnr(pair.original, pair.degraded, border) / count;
        psnr.restored += Psnr(pair.original, restored, border) / count;
      }
      all.push_back(std::move(psnr));
    }
  }
  return all;
}

}  // namespace braid::data
