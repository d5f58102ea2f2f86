#include "braid/cli/local_network.h"

#include <utility>

#include "braid/cli/model_options.h"

namespace braid::cli {

LocalNetwork::LocalNetwork(std::unique_ptr<DeviceHost> host) : host_(std::move(host)) {
  const model::Network& network = host_->model().network;
  info_.name = network.name;
  info_.height = network.input_h;
  info_.width = network.input_w;
  info_.channels = network.input_c;
  info_.classes = static_cast<int>(network.labels.size());
}

Result<std::shared_ptr<LocalNetwork>> LocalNetwork::Start(model::ModelFile model,
                                                          const std::string& kernels,
                                                          int max_batch) {
  cluster::DeviceOptions options;
  options.name = "local";
  options.max_batch = max_batch;
  BRAID_ASSIGN_OR_RETURN(options.path, ChoosePath(kernels));
  BRAID_ASSIGN_OR_RETURN(std::unique_ptr<DeviceHost> host,
                         DeviceHost::Start(std::move(model), options, std::nullopt));
  return std::shared_ptr<LocalNetwork>(new LocalNetwork(std::move(host)));
}

void LocalNetwork::Run(client::InferRequest request,
                       std::function<void(Result<client::InferReply>)> done) {
  const model::Network& network = host_->model().network;
  if (request.height != info_.height || request.width != info_.width ||
      request.channels != info_.channels) {
    return done(InvalidArgument("model \"" + network.name + "\" takes images of another size"));
  }
  cluster::InferRequest local;
  local.constraints.images = request.images;
  local.constraints.remaining = request.deadline;
  local.constraints.max_macs = request.max_macs;
  local.constraints.min_accuracy = request.min_accuracy;
  local.constraints.strict = request.strict;
  if (request.max_energy_mj.has_value()) {
    return done(
        FailedPrecondition("an energy limit needs an energy profile of the model, there is none"));
  }
  if (!request.operating_point.empty()) {
    const int point = model::FindPoint(network, request.operating_point);
    if (point < 0) {
      return done(InvalidArgument("model \"" + network.name + "\" has no operating point \"" +
                                  request.operating_point + "\""));
    }
    local.constraints.point = point;
  }
  local.pixels = std::move(request.pixels);
  host_->device().Submit(
      std::move(local), [&network, done = std::move(done)](Result<cluster::InferResult> result) {
        if (!result.ok()) return done(result.status());
        client::InferReply reply;
        reply.images = result->images;
        reply.logits = std::move(result->logits);
        reply.classes = std::move(result->classes);
        reply.model = network.name;
        reply.operating_point = network.points.at(static_cast<size_t>(result->point)).name;
        reply.devices = std::move(result->devices);
        reply.macs = result->macs;
        reply.failovers = result->failovers;
        reply.endpoint = "local";
        reply.answered_locally = true;
        reply.elapsed = result->elapsed;
        done(std::move(reply));
      });
}

}  // namespace braid::cli
