// Whole images through the float network. Layer: training.
#include "braid/training/super_resolution/psnr_evaluation.h"

#include <cstring>

#include "braid/data/super_resolution/bicubic.h"
#include "braid/training/super_resolution/super_resolution.h"

namespace braid::training {
namespace {

data::LumaImage Restore(BraidedNet& net, int sub, const data::LumaImage& degraded) {
  torch::Tensor pixels = torch::empty({1, 1, degraded.height, degraded.width}, torch::kUInt8);
  std::memcpy(pixels.data_ptr(), degraded.pixels.data(), degraded.pixels.size());
  const torch::Tensor added = net.Forward(sub, net.Input(pixels), /*training=*/false);
  const torch::Tensor restored = (added.to(torch::kCPU) / kInputStep)
                                     .round_()
                                     .add_(pixels.to(torch::kFloat32))
                                     .clamp_(0, 255)
                                     .to(torch::kUInt8)
                                     .contiguous();
  data::LumaImage out = degraded;
  std::memcpy(out.pixels.data(), restored.data_ptr(), out.pixels.size());
  return out;
}

}  // namespace

std::vector<SetPsnr> EvaluatePsnr(BraidedNet& net, int sub,
                                  const std::vector<data::LumaSet>& sets) {
  torch::NoGradGuard no_grad;
  net.NewStep();
  std::vector<SetPsnr> all;
  for (const data::LumaSet& set : sets) {
    for (const int scale : kScales) {
      SetPsnr psnr{set.name, scale, 0, 0};
      const auto count = static_cast<double>(set.images.size());
      for (const data::LumaImage& image : set.images) {
        const data::LumaImage original = data::CropToMultiple(image, scale);
        const data::LumaImage degraded = data::Degrade(original, scale);
        psnr.bicubic += data::Psnr(original, degraded, scale) / count;
        psnr.network += data::Psnr(original, Restore(net, sub, degraded), scale) / count;
      }
      all.push_back(std::move(psnr));
    }
  }
  return all;
}

}  // namespace braid::training
