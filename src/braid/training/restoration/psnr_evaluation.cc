// Whole images through the float network, and through the runtime. Layer: training.
#include "braid/training/restoration/psnr_evaluation.h"

#include <cstring>
#include <memory>

#include "braid/runtime/restorer.h"

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

Result<std::vector<data::SetPsnr>> FloatPsnr(BraidedNet& net, int sub,
                                             const std::vector<data::DegradedSet>& sets) {
  torch::NoGradGuard no_grad;
  net.NewStep();
  return data::MeasurePsnr(sets, [&](const data::LumaImage& image) -> Result<data::LumaImage> {
    return Restore(net, sub, image);
  });
}

Result<std::vector<data::SetPsnr>> IntegerPsnr(const model::Network& network,
                                               const model::OperatingPoint& point,
                                               const std::vector<data::DegradedSet>& sets) {
  BRAID_ASSIGN_OR_RETURN(
      const std::unique_ptr<runtime::Restorer> restorer,
      runtime::Restorer::Make(network, point, {.path = kernels::BestPath(), .threads = {}}));
  return data::MeasurePsnr(sets, [&](const data::LumaImage& image) -> Result<data::LumaImage> {
    data::LumaImage out = image;
    BRAID_ASSIGN_OR_RETURN(out.pixels, restorer->Restore(image.pixels, image.height, image.width));
    return out;
  });
}

}  // namespace braid::training
