#include "braid/data/super_resolution/measurement.h"

#include <utility>

#include "braid/data/super_resolution/bicubic.h"

namespace braid::data {

Result<std::vector<SetPsnr>> MeasurePsnr(const std::vector<LumaSet>& sets, const Restore& restore) {
  std::vector<SetPsnr> all;
  for (const LumaSet& set : sets) {
    for (const int scale : kScales) {
      SetPsnr psnr{set.name, scale, 0, 0};
      const auto count = static_cast<double>(set.images.size());
      for (const LumaImage& image : set.images) {
        const LumaImage original = CropToMultiple(image, scale);
        const LumaImage interpolated = Degrade(original, scale);
        BRAID_ASSIGN_OR_RETURN(const LumaImage restored, restore(interpolated));
        psnr.interpolated += Psnr(original, interpolated, scale) / count;
        psnr.restored += Psnr(original, restored, scale) / count;
      }
      all.push_back(std::move(psnr));
    }
  }
  return all;
}

}  // namespace braid::data
