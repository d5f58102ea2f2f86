// One connection of the HTTP server: reads a request, waits for its reply, writes it, goes on with
// what came meanwhile. Layer: serving, for its own sources.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <functional>
#include <memory>
#include <unordered_map>

#include "braid/serving/event_loop.h"
#include "braid/serving/http_message.h"
#include "braid/serving/http_server.h"

namespace braid::serving {

// Used on the loop only.
class HttpConnection {
 public:
  virtual ~HttpConnection() = default;
  virtual void Begin() = 0;
  // Says that it is too late or too much, and closes.
  virtual void Refuse(const HttpResponse& response) = 0;
  // Cuts it if it takes longer than it may.
  virtual void CheckTime(TimePoint now) = 0;
  // Closes now if no request is under way, else after its response.
  virtual void CloseWhenIdle() = 0;
  virtual void Cut() = 0;
};

// What the connections of a server share. Lives as long as any of them.
struct HttpShared {
  EventLoop* loop = nullptr;
  HttpLimits limits;
  HttpHandler handler;  // empty once the server is gone
  bool draining = false;
  uint64_t bodies_bytes = 0;  // set aside for bodies that are not there whole
  std::unordered_map<HttpConnection*, std::shared_ptr<HttpConnection>> connections;
};

std::shared_ptr<HttpConnection> MakeHttpConnection(std::shared_ptr<HttpShared> shared,
                                                   boost::asio::ip::tcp::socket socket);
std::shared_ptr<HttpConnection> MakeHttpsConnection(
    std::shared_ptr<HttpShared> shared, boost::asio::ip::tcp::socket socket,
    std::shared_ptr<boost::asio::ssl::context> context);

}  // namespace braid::serving
