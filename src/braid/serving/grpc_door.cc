#include "braid/serving/grpc_door.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <mutex>
#include <utility>

#include "braid/protocol/names.h"
#include "braid/serving/health_service.h"
#include "braid/serving/inference_service.h"

namespace braid::serving {
namespace {

// The largest request that any of the models can use: a whole batch, where the repeated form spends
// up to two bytes a pixel, and room for names. Anything larger is refused before it is read.
int MaxMessageBytes(const Catalog& catalog) {
  constexpr int64_t kRoom = 64 << 10;
  constexpr int64_t kMost = 256 << 20;
  int64_t most = 0;
  for (const Catalog::ModelPtr& model : catalog.Models()) {
    const model::Network& network = model->network();
    most = std::max(most, int64_t{model->max_batch()} * network.input_h * network.input_w *
                              network.input_c);
  }
  return static_cast<int>(std::min(2 * most + kRoom, kMost));
}

// Certificate and key are read again each few seconds: new connections get the new ones.
std::shared_ptr<grpc::ServerCredentials> Credentials(const TlsFiles& tls) {
  if (tls.empty()) return grpc::InsecureServerCredentials();
  constexpr unsigned kRefreshSeconds = 2;
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          tls.key, tls.certificate, kRefreshSeconds));
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  return grpc::experimental::TlsServerCredentials(options);
}

class GrpcDoorImpl final : public GrpcDoor {
 public:
  GrpcDoorImpl(Catalog* catalog, Access* access, const GrpcDoorOptions& options)
      : options_(options), catalog_(catalog), service_(catalog, access, options.version) {
    listener_ = catalog_->AddListener([this] { ShowHealth(); });
    ShowHealth();
  }

  ~GrpcDoorImpl() override {
    catalog_->RemoveListener(listener_);
    Drain(Duration::zero());
  }

  Status Start() {
    static std::once_flag reflection;  // the library's own list of plugins has no lock
    std::call_once(reflection, grpc::reflection::InitProtoReflectionServerBuilderPlugin);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(options_.address, Credentials(options_.tls), &port);
    builder.RegisterService(&service_);
    builder.RegisterService(&health_);
    builder.SetMaxReceiveMessageSize(MaxMessageBytes(*catalog_));
    // Without this a second device on the same port would silently share it.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options_.max_streams);
    builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxHeaderBytes);
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
    return OkStatus();
  }

  const std::string& address() const override { return address_; }

  void Drain(Duration grace) override {
    if (server_ == nullptr) return;
    health_.EndWatches();
    server_->Shutdown(std::chrono::system_clock::now() +
                      std::chrono::duration_cast<std::chrono::system_clock::duration>(grace));
    server_->Wait();
    server_.reset();
  }

 private:
  static constexpr int kMaxHeaderBytes = 16 << 10;

  void ShowHealth() {
    const bool ready = catalog_->ready();
    for (const std::string& name : catalog_->Names()) {
      health_.SetServing(name, catalog_->ready(name));
    }
    health_.SetServing(std::string(protocol::kServiceName), ready);
    health_.SetServing("", ready);
  }

  const GrpcDoorOptions options_;
  Catalog* const catalog_;
  std::string address_;
  HealthService health_;
  InferenceService service_;
  int listener_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

Result<std::unique_ptr<GrpcDoor>> GrpcDoor::Open(Catalog* catalog, Access* access,
                                                 const GrpcDoorOptions& options) {
  BRAID_RETURN_IF_ERROR(CheckExposure("gRPC", options.address, options.tls, !access->open(),
                                      options.allow_any_address));
  BRAID_RETURN_IF_ERROR(CheckTlsFiles(options.tls));
  try {
    auto door = std::make_unique<GrpcDoorImpl>(catalog, access, options);
    BRAID_RETURN_IF_ERROR(door->Start());
    return std::unique_ptr<GrpcDoor>(std::move(door));
  } catch (const std::exception& error) {
    return Internal(std::string("gRPC: ") + error.what());
  }
}

}  // namespace braid::serving
