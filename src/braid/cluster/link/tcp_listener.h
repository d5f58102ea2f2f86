// One listening socket. Layer: cluster/link, private to it.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>

#include "braid/base/status.h"
#include "braid/cluster/link/tcp_loop.h"

namespace braid::cluster {

class TcpListener {
 public:
  using Accepted = std::function<void(boost::asio::ip::tcp::socket)>;

  // Binds and listens, from any thread; `accepted` is called in turns of the loop once Start has
  // been. The loop must have ended before the listener is destroyed.
  static Result<std::unique_ptr<TcpListener>> Open(TcpLoop* loop, const std::string& address,
                                                   bool loopback_only, Accepted accepted);
  void Start();  // on the loop

  const std::string& bound() const { return bound_; }

 private:
  TcpListener(TcpLoop* loop, Accepted accepted);
  void Accept();

  TcpLoop* loop_;
  Accepted accepted_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer retry_;
  std::string bound_;
};

}  // namespace braid::cluster
