#include "braid/client/endpoint.h"

#include <algorithm>
#include <chrono>

namespace braid::client {

std::unique_ptr<Endpoint> Connect(const std::string& address, const ClientOptions& options) {
  const auto ms = [](Duration duration) {
    return static_cast<int>(
        std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
  };
  grpc::ChannelArguments arguments;
  // A frozen server keeps its socket open: only a ping without an answer shows it.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, ms(options.keepalive));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, ms(options.keepalive));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // On a local network a device that was restarted shall be found at once, not after the
  // library's seconds.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
  // Retries are ours: the library's would hide attempts from the count and from the back-off.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // Two clients in one process shall not share a connection, and so not its fate.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // The environment's proxy is for the web, not for devices.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(64 << 20);

  auto endpoint = std::make_unique<Endpoint>();
  endpoint->channel =
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  endpoint->channel->GetState(/*try_to_connect=*/true);
  endpoint->inference = inference::GRPCInferenceService::NewStub(endpoint->channel);
  endpoint->health = grpc::health::v1::Health::NewStub(endpoint->channel);
  return endpoint;
}

std::chrono::system_clock::time_point ToSystemTime(TimePoint deadline) {
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(
             deadline - std::chrono::steady_clock::now());
}

}  // namespace braid::client
