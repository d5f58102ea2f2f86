#include "braid/serving/grpc_door.h"

#include <arpa/inet.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "braid/protocol/names.h"
#include "braid/serving/health_service.h"
#include "braid/serving/inference_service.h"

namespace braid::serving {
namespace {

std::string HostOf(const std::string& address) {
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return host;
}

// The largest request the model can use: a whole batch, where the repeated form spends up to two
// bytes a pixel, and room for names. Anything larger is refused before it is read.
int MaxMessageBytes(const cluster::Device& device) {
  const model::Network& network = device.model().network;
  const int64_t pixels =
      int64_t{device.options().max_batch} * network.input_h * network.input_w * network.input_c;
  constexpr int64_t kRoom = 64 << 10;
  constexpr int64_t kMost = 256 << 20;
  return static_cast<int>(std::min(2 * pixels + kRoom, kMost));
}

class GrpcDoorImpl final : public GrpcDoor {
 public:
  GrpcDoorImpl(cluster::Device* device, const GrpcDoorOptions& options)
      : options_(options),
        health_({std::string(protocol::kServiceName), device->model().network.name}),
        service_(
            device, [this] { return ready(); }, options.version) {}

  ~GrpcDoorImpl() override { Drain(Duration::zero(), Duration::zero()); }

  Status Start(cluster::Device* device) {
    static std::once_flag reflection;  // the library's own list of plugins has no lock
    std::call_once(reflection, grpc::reflection::InitProtoReflectionServerBuilderPlugin);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(options_.address, grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    builder.RegisterService(&health_);
    builder.SetMaxReceiveMessageSize(MaxMessageBytes(*device));
    // Without this a second device on the same port would silently share it.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    // Clients ping each second to notice a frozen device; the library would call that abuse.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 400);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    // And the other way round: connections of clients that vanished are dropped.
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 10000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) {
      return Unavailable("gRPC address " + options_.address + ": cannot be bound");
    }
    address_ = options_.address.substr(0, options_.address.rfind(':') + 1) + std::to_string(port);
    const std::lock_guard lock(readiness_mutex_);
    readiness_ = std::make_unique<Readiness>(
        [device](std::function<void(Status)> done) { device->SelfTest(std::move(done)); },
        [this](bool ready, const Status& reason) {
          health_.SetServing(ready);
          if (options_.on_ready) options_.on_ready(ready, reason);
        },
        options_.readiness);
    return OkStatus();
  }

  const std::string& address() const override { return address_; }

  bool ready() const override {
    const std::lock_guard lock(readiness_mutex_);
    return readiness_ != nullptr && readiness_->ready();
  }

  void Drain(Duration notice, Duration grace) override {
    if (server_ == nullptr) return;
    Readiness* readiness = nullptr;
    {
      const std::lock_guard lock(readiness_mutex_);
      readiness = readiness_.get();
    }
    if (readiness != nullptr) readiness->Drain();
    if (notice > Duration::zero()) std::this_thread::sleep_for(notice);
    health_.EndWatches();
    server_->Shutdown(std::chrono::system_clock::now() +
                      std::chrono::duration_cast<std::chrono::system_clock::duration>(grace));
    server_->Wait();
    server_.reset();
    std::unique_ptr<Readiness> stopped;  // destroyed outside the lock: it joins a thread
    {
      const std::lock_guard lock(readiness_mutex_);
      stopped = std::move(readiness_);
    }
  }

 private:
  const GrpcDoorOptions options_;
  std::string address_;
  HealthService health_;
  InferenceService service_;
  mutable std::mutex readiness_mutex_;
  std::unique_ptr<Readiness> readiness_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

bool IsLoopback(const std::string& address) {
  const std::string host = HostOf(address);
  if (host == "localhost" || host == "::1") return true;
  in_addr v4{};
  return inet_pton(AF_INET, host.c_str(), &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

Result<std::unique_ptr<GrpcDoor>> GrpcDoor::Open(cluster::Device* device,
                                                 const GrpcDoorOptions& options) {
  if (options.address.rfind(':') == std::string::npos) {
    return InvalidArgument("gRPC address \"" + options.address + "\": must be host:port");
  }
  if (!options.allow_any_address && !IsLoopback(options.address)) {
    return FailedPrecondition("gRPC address " + options.address +
                              ": the door has no TLS yet, so it opens on loopback only");
  }
  try {
    auto door = std::make_unique<GrpcDoorImpl>(device, options);
    BRAID_RETURN_IF_ERROR(door->Start(device));
    return std::unique_ptr<GrpcDoor>(std::move(door));
  } catch (const std::exception& error) {
    return Internal(std::string("gRPC: ") + error.what());
  }
}

}  // namespace braid::serving
