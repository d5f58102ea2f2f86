// HTTP/1.1 on one event loop, with bounds on everything that a stranger can send or hold. Layer:
// serving. What is bounded and how: docs/serving.md, "Limits".
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/serving/event_loop.h"
#include "braid/serving/http_message.h"
#include "braid/serving/tls_files.h"

namespace braid::serving {

struct HttpLimits {
  size_t header_bytes = 16 << 10;
  size_t body_bytes = 64 << 20;
  uint64_t bodies_bytes = 256 << 20;  // of all bodies that are being received
  int connections = 4096;  // further ones are told 503 and closed
  Duration header_time = std::chrono::seconds(10);  // from a request's first byte; and for TLS
  Duration idle_time = std::chrono::seconds(120);   // between requests
  // A body may take header_time and a second for each so many bytes.
  size_t slowest_bytes_per_second = 64 << 10;
  Duration write_time = std::chrono::seconds(30);  // for a response to be taken
};

struct HttpServerOptions {
  std::string address = "127.0.0.1:0";  // port 0: a free one
  TlsFiles tls;                         // empty: no TLS; looked at again every two seconds
  HttpLimits limits;
};

class HttpServer {
 public:
  // `loop` must outlive the server. Not from the loop. UNAVAILABLE (the address cannot be bound),
  // INVALID_ARGUMENT (no address, or the TLS files).
  static Result<std::unique_ptr<HttpServer>> Open(EventLoop* loop, HttpServerOptions options,
                                                  HttpHandler handler);
  // Cuts every connection; the handler is not called any more. Not from the loop.
  virtual ~HttpServer() = default;

  virtual const std::string& address() const = 0;
  virtual int connections() const = 0;

  // Takes no new connection, lets each finish the request that it is in, and waits for that up to
  // `grace`. Not from the loop.
  virtual void Drain(Duration grace) = 0;
};

}  // namespace braid::serving
