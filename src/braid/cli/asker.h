// Who answers an inference: a device in this process or endpoints of a group. Layer: cli.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/client/client.h"
#include "braid/model/file.h"

namespace braid::cli {

class Asker {
 public:
  virtual ~Asker() = default;
  // What it takes in.
  virtual const client::ModelInfo& model() const = 0;
  virtual Result<client::InferReply> Infer(client::InferRequest request) = 0;
};

// A device that carries the whole model and has no peers: the same rules choose the point.
// `kernels`: as --kernels.
Result<std::unique_ptr<Asker>> MakeLocalAsker(model::ModelFile model, const std::string& kernels,
                                              int max_batch);

// Asks the endpoints what they serve first.
Result<std::unique_ptr<Asker>> MakeRemoteAsker(const std::vector<std::string>& endpoints,
                                               const std::string& model_name, Duration deadline);

}  // namespace braid::cli
