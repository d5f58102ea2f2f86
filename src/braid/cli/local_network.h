// A model that this process runs itself: `braid infer --model`, and a client's last resort
// (`--local-model`). Layer: cli.
#pragma once

#include <memory>
#include <string>

#include "braid/base/status.h"
#include "braid/cli/device_host.h"
#include "braid/client/client.h"
#include "braid/model/file.h"

namespace braid::cli {

// A device that carries the whole model and has no peers: the same rules choose the point.
class LocalNetwork final : public client::LocalModel {
 public:
  // `kernels`: as --kernels.
  static Result<std::shared_ptr<LocalNetwork>> Start(model::ModelFile model,
                                                     const std::string& kernels, int max_batch);

  // What it takes in.
  const client::ModelInfo& info() const { return info_; }
  void Run(client::InferRequest request,
           std::function<void(Result<client::InferReply>)> done) override;

 private:
  explicit LocalNetwork(std::unique_ptr<DeviceHost> host);

  const std::unique_ptr<DeviceHost> host_;
  client::ModelInfo info_;
};

}  // namespace braid::cli
