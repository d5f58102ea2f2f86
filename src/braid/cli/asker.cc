#include "braid/cli/asker.h"

#include <algorithm>
#include <future>
#include <utility>

namespace braid::cli {
namespace {

class LocalAsker final : public Asker {
 public:
  explicit LocalAsker(std::shared_ptr<LocalNetwork> network) : network_(std::move(network)) {}

  const client::ModelInfo& model() const override { return network_->info(); }

  Result<client::InferReply> Infer(client::InferRequest request) override {
    // Shared: the callback may still be inside set_value when the waiter has what it wanted.
    auto answer = std::make_shared<std::promise<Result<client::InferReply>>>();
    network_->Run(std::move(request), [answer](Result<client::InferReply> reply) {
      answer->set_value(std::move(reply));
    });
    return answer->get_future().get();
  }

 private:
  const std::shared_ptr<LocalNetwork> network_;  // shared as client::ClientOptions::local is
};

class RemoteAsker final : public Asker {
 public:
  RemoteAsker(std::unique_ptr<client::Client> client, client::ModelInfo info)
      : client_(std::move(client)), info_(std::move(info)) {}

  const client::ModelInfo& model() const override { return info_; }
  Result<client::InferReply> Infer(client::InferRequest request) override {
    return client_->Infer(std::move(request));
  }

 private:
  const std::unique_ptr<client::Client> client_;
  const client::ModelInfo info_;
};

}  // namespace

std::unique_ptr<Asker> MakeLocalAsker(std::shared_ptr<LocalNetwork> network) {
  return std::make_unique<LocalAsker>(std::move(network));
}

Result<std::unique_ptr<Asker>> MakeRemoteAsker(client::ClientOptions options,
                                               std::shared_ptr<LocalNetwork> local) {
  options.local = local;
  BRAID_ASSIGN_OR_RETURN(std::unique_ptr<client::Client> client, client::Client::Create(options));
  // With a last resort at hand each endpoint is waited for once only.
  const Duration once = options.attempt_timeout * static_cast<int>(options.endpoints.size());
  Result<client::ModelInfo> info =
      client->Model(local == nullptr ? options.deadline : std::min(options.deadline, once));
  if (!info.ok() && local == nullptr) return info.status();
  return std::unique_ptr<Asker>(std::make_unique<RemoteAsker>(
      std::move(client), info.ok() ? std::move(info).value() : local->info()));
}

}  // namespace braid::cli
