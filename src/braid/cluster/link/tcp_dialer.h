// One attempt to connect: look the name up, connect, within a time. Layer: cluster/link, private.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>

#include "braid/base/status.h"
#include "braid/cluster/link/tcp_loop.h"

namespace braid::cluster {

// Keeps itself alive until its operations have come back.
class TcpDialer final : public std::enable_shared_from_this<TcpDialer> {
 public:
  using Done = std::function<void(Result<boost::asio::ip::tcp::socket>)>;

  // `done` is called once, in a turn of the loop but never from inside this call.
  static void Dial(TcpLoop* loop, const std::string& address, bool loopback_only, Duration limit,
                   Done done);

 private:
  using Endpoints = std::vector<boost::asio::ip::tcp::endpoint>;

  TcpDialer(TcpLoop* loop, std::string address, bool loopback_only, Done done);
  void Start(Duration limit);
  void Connect(Endpoints endpoints);
  void Finish(Result<boost::asio::ip::tcp::socket> result);

  TcpLoop* loop_;
  std::string address_;
  bool loopback_only_;
  Done done_;  // empty when called
  boost::asio::ip::tcp::resolver resolver_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer limit_;
};

}  // namespace braid::cluster
