#include "braid/cluster/link/tcp_dialer.h"

#include <boost/asio/connect.hpp>
#include <utility>
#include <vector>

#include "braid/cluster/link/address.h"

namespace braid::cluster {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

TcpDialer::TcpDialer(TcpLoop* loop, std::string address, bool loopback_only, Done done)
    : loop_(loop),
      address_(std::move(address)),
      loopback_only_(loopback_only),
      done_(std::move(done)),
      resolver_(loop->io()),
      socket_(loop->io()),
      limit_(loop->io()) {}

void TcpDialer::Dial(TcpLoop* loop, const std::string& address, bool loopback_only, Duration limit,
                     Done done) {
  std::shared_ptr<TcpDialer> dialer(new TcpDialer(loop, address, loopback_only, std::move(done)));
  loop->Post([dialer, limit] { dialer->Start(limit); });
}

void TcpDialer::Start(Duration limit) {
  const Result<HostPort> wanted = ParseAddress(address_);
  if (!wanted.ok()) return Finish(wanted.status());
  limit_.expires_after(limit);
  limit_.async_wait([self = shared_from_this()](const error_code& error) {
    if (error) return;
    const TcpLoop::Turn turn(self->loop_);
    self->Finish(DeadlineExceeded("address '" + self->address_ + "': no answer"));
  });
  error_code not_a_number;
  const asio::ip::address number = asio::ip::make_address(wanted->host, not_a_number);
  if (!not_a_number) return Connect({tcp::endpoint(number, wanted->port)});
  // Not asked of the resolver: a machine without /etc/hosts still has a loopback (RFC 6761, 6.3).
  if (wanted->host == "localhost") {
    return Connect({tcp::endpoint(asio::ip::address_v4::loopback(), wanted->port),
                    tcp::endpoint(asio::ip::address_v6::loopback(), wanted->port)});
  }
  resolver_.async_resolve(
      wanted->host, std::to_string(wanted->port),
      [self = shared_from_this()](const error_code& error, tcp::resolver::results_type found) {
        const TcpLoop::Turn turn(self->loop_);
        if (error) {
          return self->Finish(Unavailable("address '" + self->address_ +
                                          "': cannot find the host: " + error.message()));
        }
        self->Connect(Endpoints(found.begin(), found.end()));
      });
}

void TcpDialer::Connect(Endpoints endpoints) {
  if (done_ == nullptr) return;  // too late
  if (loopback_only_) {
    std::erase_if(endpoints, [](const tcp::endpoint& e) { return !e.address().is_loopback(); });
    if (endpoints.empty()) {
      return Finish(FailedPrecondition("address '" + address_ +
                                       "': without a key only loopback addresses may be dialed"));
    }
  }
  asio::async_connect(socket_, endpoints,
                      [self = shared_from_this()](const error_code& error, const tcp::endpoint&) {
                        const TcpLoop::Turn turn(self->loop_);
                        if (error) {
                          return self->Finish(Unavailable("address '" + self->address_ +
                                                          "': cannot connect: " + error.message()));
                        }
                        self->Finish(std::move(self->socket_));
                      });
}

void TcpDialer::Finish(Result<tcp::socket> result) {
  if (done_ == nullptr) return;
  const Done done = std::exchange(done_, nullptr);
  limit_.cancel();
  resolver_.cancel();
  if (!result.ok()) {
    error_code ignored;
    socket_.close(ignored);
  }
  done(std::move(result));
}

}  // namespace braid::cluster
