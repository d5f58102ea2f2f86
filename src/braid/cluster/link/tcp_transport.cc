#include "braid/cluster/link/tcp_transport.h"

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <future>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "braid/cluster/link/address.h"
#include "braid/cluster/link/tcp_connection.h"
#include "braid/cluster/link/tcp_dialer.h"
#include "braid/cluster/link/tcp_listener.h"
#include "braid/cluster/link/tcp_loop.h"
#include "braid/cluster/link/tls_channel.h"

namespace braid::cluster {

using boost::asio::ip::tcp;

class TcpTransport::Impl final : public TcpConnection::Owner {
 public:
  Impl(const TransportLimits& limits, std::unique_ptr<TlsContext> tls)
      : limits_(limits), tls_(std::move(tls)) {}

  ~Impl() override {
    loop_.Stop([this] {
      while (!connections_.empty()) {
        const std::shared_ptr<TcpConnection> connection = connections_.begin()->second;
        connections_.erase(connections_.begin());
        connection->Abandon();
      }
    });
  }

  void SetHandler(TransportHandler* handler) {
    if (handler != nullptr || loop_.OnLoop()) {
      handler_ = handler;
      return;
    }
    // Taken away on the loop, so that no call of it is running when this returns.
    std::promise<void> done;
    loop_.Post([this, &done] {
      handler_ = nullptr;
      done.set_value();
    });
    done.get_future().wait();
  }

  Result<std::string> Listen(const std::string& address) {
    BRAID_ASSIGN_OR_RETURN(
        std::unique_ptr<TcpListener> listener,
        TcpListener::Open(&loop_, address, tls_ == nullptr,
                          [this](tcp::socket socket) { Accept(std::move(socket)); }));
    TcpListener* const started = listener.get();
    {
      const std::lock_guard lock(listeners_mutex_);
      listeners_.push_back(std::move(listener));
    }
    loop_.Post([started] { started->Start(); });
    return started->bound();
  }

  void Dial(const std::string& address) {
    TcpDialer::Dial(
        &loop_, address, tls_ == nullptr, limits_.dial,
        [this, address](Result<tcp::socket> socket) { Dialed(address, std::move(socket)); });
  }

  void Send(ConnectionId id, Frame frame) {
    if (!loop_.OnLoop()) {
      loop_.Post([this, id, frame = std::move(frame)] { SendOnLoop(id, frame); });
    } else {
      SendOnLoop(id, frame);
    }
  }

  void Close(ConnectionId id, const std::string& reason) {
    if (!loop_.OnLoop()) {
      loop_.Post([this, id, reason] { CloseOnLoop(id, reason); });
    } else {
      CloseOnLoop(id, reason);
    }
  }

  TcpLoop* loop() { return &loop_; }
  const Clock& clock() const { return clock_; }

  // ---- TcpConnection::Owner: the first two come straight from the event loop ----

  void Opened(TcpConnection& c) override {
    if (c.dialed()) offer_previous_[c.address()] = offered_previous_[c.id()];
    offered_previous_.erase(c.id());
    if (handler_ != nullptr) handler_.load()->OnConnected(c.id(), c.dialed(), c.address());
  }

  void Received(TcpConnection& c, Frame frame) override {
    if (handler_ != nullptr) handler_.load()->OnFrame(c.id(), std::move(frame));
  }

  void Ended(TcpConnection& c, const Status& reason) override {
    if (c.opened()) {
      Notify([id = c.id(), reason](TransportHandler* handler) { handler->OnClosed(id, reason); });
    } else if (c.dialed()) {
      // Keys change: the next dial offers the other one.
      if (HasPreviousKey()) offer_previous_[c.address()] = !offered_previous_[c.id()];
      offered_previous_.erase(c.id());
      NotifyDialFailed(c.address(), reason.WithContext("address '" + c.address() + "'"));
    } else {
      NotifyRefused(c.address(), reason);
    }
  }

  void Released(TcpConnection& c) override { connections_.erase(c.id()); }

 private:
  // For what can happen inside a call that the handler makes: it hears of it afterwards.
  template <typename Call>
  void Notify(Call call) {
    loop_.Post([this, call = std::move(call)] {
      if (handler_ != nullptr) call(handler_.load());
    });
  }
  void NotifyDialFailed(const std::string& address, const Status& reason) {
    Notify([address, reason](TransportHandler* h) { h->OnDialFailed(address, reason); });
  }
  void NotifyRefused(const std::string& address, const Status& reason) {
    Notify([address, reason](TransportHandler* h) { h->OnRefused(address, reason); });
  }

  bool HasPreviousKey() const { return tls_ != nullptr && tls_->keys().previous.has_value(); }
  bool Full() const { return connections_.size() >= static_cast<size_t>(limits_.connections); }
  Status FullStatus() const {
    return ResourceExhausted("the limit of " + std::to_string(limits_.connections) +
                             " connections is reached");
  }

  void Accept(tcp::socket socket) {
    boost::system::error_code error;
    const tcp::endpoint remote = socket.remote_endpoint(error);
    const std::string address =
        error ? "?" : FormatAddress(remote.address().to_string(), remote.port());
    if (Full()) return NotifyRefused(address, FullStatus());
    Adopt(std::move(socket), false, address);
  }

  void Dialed(const std::string& address, Result<tcp::socket> socket) {
    if (!socket.ok()) return NotifyDialFailed(address, socket.status());
    if (Full()) return NotifyDialFailed(address, FullStatus());
    Adopt(std::move(*socket), true, address);
  }

  void Adopt(tcp::socket socket, bool dialed, const std::string& address) {
    const ConnectionId id{++last_id_};
    std::unique_ptr<TlsChannel> channel;
    if (tls_ != nullptr) {
      const bool previous = dialed && HasPreviousKey() && offer_previous_[address];
      if (dialed) offered_previous_[id] = previous;
      channel = std::make_unique<TlsChannel>(
          tls_.get(), dialed ? TlsChannel::Side::kDialed : TlsChannel::Side::kAccepted, previous);
    }
    const auto connection = std::make_shared<TcpConnection>(
        this, &loop_, std::move(socket), id, dialed, address, std::move(channel), limits_);
    connections_.emplace(id, connection);
    connection->Start();
  }

  void SendOnLoop(ConnectionId id, const Frame& frame) {
    if (const std::shared_ptr<TcpConnection> connection = Find(id)) connection->Send(frame);
  }
  void CloseOnLoop(ConnectionId id, const std::string& reason) {
    if (const std::shared_ptr<TcpConnection> connection = Find(id)) connection->Close(reason);
  }
  std::shared_ptr<TcpConnection> Find(ConnectionId id) const {
    const auto found = connections_.find(id);
    return found != connections_.end() ? found->second : nullptr;
  }

  const TransportLimits limits_;
  const std::unique_ptr<TlsContext> tls_;  // null: plain
  SystemClock clock_;
  std::atomic<TransportHandler*> handler_{nullptr};

  // On the loop only.
  std::map<ConnectionId, std::shared_ptr<TcpConnection>> connections_;
  std::map<std::string, bool> offer_previous_;     // address dialed: which key comes next
  std::map<ConnectionId, bool> offered_previous_;  // in a handshake: which key was offered
  uint64_t last_id_ = 0;

  // Before the listeners and the members above, which use it, are destroyed, it has been stopped.
  TcpLoop loop_;
  std::mutex listeners_mutex_;
  std::vector<std::unique_ptr<TcpListener>> listeners_;  // guarded by listeners_mutex_
};

Result<std::unique_ptr<TcpTransport>> TcpTransport::Create(TcpOptions options) {
  std::unique_ptr<TlsContext> tls;
  if (options.keys.has_value()) {
    BRAID_ASSIGN_OR_RETURN(tls, TlsContext::Create(*options.keys));
  }
  return std::unique_ptr<TcpTransport>(
      new TcpTransport(std::make_unique<Impl>(options.limits, std::move(tls))));
}

TcpTransport::TcpTransport(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TcpTransport::~TcpTransport() = default;

void TcpTransport::SetHandler(TransportHandler* handler) { impl_->SetHandler(handler); }
Result<std::string> TcpTransport::Listen(const std::string& address) {
  return impl_->Listen(address);
}
void TcpTransport::Dial(const std::string& address) { impl_->Dial(address); }
void TcpTransport::Send(ConnectionId connection, Frame frame) {
  impl_->Send(connection, std::move(frame));
}
void TcpTransport::Close(ConnectionId connection, const std::string& reason) {
  impl_->Close(connection, reason);
}
void TcpTransport::Post(std::function<void()> task) { impl_->loop()->Post(std::move(task)); }
void TcpTransport::PostAfter(Duration delay, std::function<void()> task) {
  impl_->loop()->PostAfter(delay, std::move(task));
}
void TcpTransport::PostOrRun(std::function<void()> task) {
  impl_->loop()->PostOrRun(std::move(task));
}
TransportTraffic TcpTransport::traffic() const {
  return {.sent_bytes = impl_->loop()->sent_bytes(),
          .received_bytes = impl_->loop()->received_bytes()};
}
const Clock& TcpTransport::clock() const { return impl_->clock(); }

}  // namespace braid::cluster
