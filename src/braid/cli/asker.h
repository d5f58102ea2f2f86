// Who answers an inference: a network in this process or endpoints of a group. Layer: cli.
#pragma once

#include <memory>

#include "braid/base/status.h"
#include "braid/cli/local_network.h"
#include "braid/client/client.h"

namespace braid::cli {

class Asker {
 public:
  virtual ~Asker() = default;
  // What it takes in.
  virtual const client::ModelInfo& model() const = 0;
  virtual Result<client::InferReply> Infer(client::InferRequest request) = 0;
};

std::unique_ptr<Asker> MakeLocalAsker(std::shared_ptr<LocalNetwork> network);

// Asks the endpoints what they serve first, for up to `options.deadline`. With `local` it asks for
// no longer than each one's attempt timeout, and takes that one's shape when none says it; `local`
// also becomes the client's last resort.
Result<std::unique_ptr<Asker>> MakeRemoteAsker(client::ClientOptions options,
                                               std::shared_ptr<LocalNetwork> local);

}  // namespace braid::cli
