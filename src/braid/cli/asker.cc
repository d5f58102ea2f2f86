#include "braid/cli/asker.h"

#include <future>
#include <utility>

#include "braid/cli/device_host.h"
#include "braid/cli/model_options.h"

namespace braid::cli {
namespace {

class LocalAsker final : public Asker {
 public:
  explicit LocalAsker(std::unique_ptr<DeviceHost> host) : host_(std::move(host)) {
    const model::Network& network = host_->model().network;
    info_.name = network.name;
    info_.height = network.input_h;
    info_.width = network.input_w;
    info_.channels = network.input_c;
    info_.classes = static_cast<int>(network.labels.size());
  }

  const client::ModelInfo& model() const override { return info_; }

  Result<client::InferReply> Infer(client::InferRequest request) override {
    const model::Network& network = host_->model().network;
    cluster::InferRequest local;
    local.constraints.images = request.images;
    local.constraints.remaining = request.deadline;
    local.constraints.max_macs = request.max_macs;
    local.constraints.min_accuracy = request.min_accuracy;
    local.constraints.strict = request.strict;
    if (request.max_energy_mj.has_value()) {
      return FailedPrecondition(
          "an energy limit needs an energy profile of the model, there is none");
    }
    if (!request.operating_point.empty()) {
      const int point = model::FindPoint(network, request.operating_point);
      if (point < 0) {
        return InvalidArgument("model \"" + network.name + "\" has no operating point \"" +
                               request.operating_point + "\"");
      }
      local.constraints.point = point;
    }
    local.pixels = std::move(request.pixels);
    // Shared: the callback may still be inside set_value when the waiter has what it wanted.
    auto answer = std::make_shared<std::promise<Result<cluster::InferResult>>>();
    host_->device().Submit(std::move(local), [answer](Result<cluster::InferResult> result) {
      answer->set_value(std::move(result));
    });
    BRAID_ASSIGN_OR_RETURN(cluster::InferResult result, answer->get_future().get());
    client::InferReply reply;
    reply.images = result.images;
    reply.logits = std::move(result.logits);
    reply.classes = std::move(result.classes);
    reply.model = network.name;
    reply.operating_point = network.points.at(static_cast<size_t>(result.point)).name;
    reply.devices = std::move(result.devices);
    reply.macs = result.macs;
    reply.failovers = result.failovers;
    reply.endpoint = "local";
    reply.elapsed = result.elapsed;
    return reply;
  }

 private:
  const std::unique_ptr<DeviceHost> host_;
  client::ModelInfo info_;
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

Result<std::unique_ptr<Asker>> MakeLocalAsker(model::ModelFile model, const std::string& kernels,
                                              int max_batch) {
  cluster::DeviceOptions options;
  options.name = "local";
  options.max_batch = max_batch;
  BRAID_ASSIGN_OR_RETURN(options.path, ChoosePath(kernels));
  BRAID_ASSIGN_OR_RETURN(std::unique_ptr<DeviceHost> host,
                         DeviceHost::Start(std::move(model), options, std::nullopt));
  return std::unique_ptr<Asker>(std::make_unique<LocalAsker>(std::move(host)));
}

Result<std::unique_ptr<Asker>> MakeRemoteAsker(const std::vector<std::string>& endpoints,
                                               const std::string& model_name, Duration deadline) {
  client::ClientOptions options;
  options.endpoints = endpoints;
  options.model = model_name;
  options.deadline = deadline;
  BRAID_ASSIGN_OR_RETURN(std::unique_ptr<client::Client> client, client::Client::Create(options));
  BRAID_ASSIGN_OR_RETURN(client::ModelInfo info, client->Model(deadline));
  return std::unique_ptr<Asker>(std::make_unique<RemoteAsker>(std::move(client), std::move(info)));
}

}  // namespace braid::cli
