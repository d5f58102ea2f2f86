#include "braid/cluster/link/tcp_listener.h"

#include <utility>

#include "braid/cluster/link/address.h"

namespace braid::cluster {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

// While the system has no descriptor to give, asking again at once would only burn the processor.
constexpr auto kAcceptRetry = std::chrono::milliseconds(100);

Result<tcp::endpoint> Resolve(asio::io_context* io, const HostPort& wanted,
                              const std::string& address) {
  error_code error;
  if (wanted.host.empty()) return tcp::endpoint(tcp::v4(), wanted.port);
  const asio::ip::address number = asio::ip::make_address(wanted.host, error);
  if (!error) return tcp::endpoint(number, wanted.port);
  // Not asked of the resolver: a machine without /etc/hosts still has a loopback (RFC 6761, 6.3).
  if (wanted.host == "localhost") {
    return tcp::endpoint(asio::ip::address_v4::loopback(), wanted.port);
  }
  tcp::resolver resolver(*io);
  const auto found =
      resolver.resolve(wanted.host, std::to_string(wanted.port), tcp::resolver::passive, error);
  if (error || found.empty()) {
    return Unavailable("address '" + address + "': cannot find the host: " + error.message());
  }
  return found.begin()->endpoint();
}

}  // namespace

TcpListener::TcpListener(TcpLoop* loop, Accepted accepted)
    : loop_(loop), accepted_(std::move(accepted)), acceptor_(loop->io()), retry_(loop->io()) {}

Result<std::unique_ptr<TcpListener>> TcpListener::Open(TcpLoop* loop, const std::string& address,
                                                       bool loopback_only, Accepted accepted) {
  BRAID_ASSIGN_OR_RETURN(const HostPort wanted, ParseAddress(address));
  BRAID_ASSIGN_OR_RETURN(const tcp::endpoint endpoint, Resolve(&loop->io(), wanted, address));
  if (loopback_only && !endpoint.address().is_loopback()) {
    return FailedPrecondition("address '" + address +
                              "': without a key only loopback addresses may be listened on");
  }
  std::unique_ptr<TcpListener> listener(new TcpListener(loop, std::move(accepted)));
  tcp::acceptor& acceptor = listener->acceptor_;
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  // A restarted device takes its port again although old connections linger in the system.
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    const bool taken = error == asio::error::address_in_use;
    return Status(taken ? StatusCode::kAlreadyExists : StatusCode::kUnavailable,
                  "address '" + address + "': cannot listen: " + error.message());
  }
  const tcp::endpoint bound = acceptor.local_endpoint(error);
  if (error) return Unavailable("address '" + address + "': " + error.message());
  listener->bound_ = FormatAddress(bound.address().to_string(), bound.port());
  return listener;
}

void TcpListener::Start() { Accept(); }

void TcpListener::Accept() {
  acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
    const TcpLoop::Turn turn(loop_);
    if (!error) {
      accepted_(std::move(socket));
    } else if (error != asio::error::connection_aborted) {
      retry_.expires_after(kAcceptRetry);
      retry_.async_wait([this](const error_code& wait_error) {
        const TcpLoop::Turn later(loop_);
        if (!wait_error) Accept();
      });
      return;
    }
    Accept();
  });
}

}  // namespace braid::cluster
