// Frames over TCP, encrypted with TLS 1.3 where a key is given. Layer: cluster/link.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "braid/base/status.h"
#include "braid/cluster/link/keys.h"
#include "braid/cluster/link/transport.h"

namespace braid::cluster {

struct TcpOptions {
  // Without keys only loopback addresses are listened on and dialed. A transport with keys and one
  // without never understand each other.
  std::optional<KeyRing> keys = std::nullopt;
  TransportLimits limits = {};
};

class TcpTransport final : public Transport {
 public:
  // Starts the loop's thread. INTERNAL when TLS cannot be set up.
  static Result<std::unique_ptr<TcpTransport>> Create(TcpOptions options);
  // Gives what is queued to the sockets as far as they take it at once, closes them in order, joins
  // the thread. Not from the loop; the handler may be called until this returns.
  ~TcpTransport() override;

  void SetHandler(TransportHandler* handler) override;
  // A host name is looked up here, which may take as long as the system's resolver likes.
  Result<std::string> Listen(const std::string& address) override;
  void Dial(const std::string& address) override;
  void Send(ConnectionId connection, Frame frame) override;
  void Close(ConnectionId connection, const std::string& reason) override;
  void Post(std::function<void()> task) override;
  void PostAfter(Duration delay, std::function<void()> task) override;
  void PostOrRun(std::function<void()> task) override;
  TransportTraffic traffic() const override;
  const Clock& clock() const override;

 private:
  class Impl;
  explicit TcpTransport(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace braid::cluster
