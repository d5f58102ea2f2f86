// A device's REST front door: the Open Inference Protocol over HTTP/1.1. Layer: serving. Paths,
// statuses: docs/protocol.md; limits: docs/security.md.
#pragma once

#include <memory>
#include <string>

#include "braid/base/status.h"
#include "braid/serving/access.h"
#include "braid/serving/catalog.h"
#include "braid/serving/event_loop.h"
#include "braid/serving/http_server.h"

namespace braid::serving {

struct RestDoorOptions {
  HttpServerOptions http;  // body_bytes of its limits: 0 for what the largest batch can need
  // Without TLS and a token the door opens on loopback addresses only, unless told.
  bool allow_any_address = false;
  std::string version = "0";  // of the program
};

class RestDoor {
 public:
  // All must outlive the door. Errors: FAILED_PRECONDITION (an address beyond loopback),
  // UNAVAILABLE (it cannot be bound), those of the TLS files.
  static Result<std::unique_ptr<RestDoor>> Open(EventLoop* loop, Catalog* catalog, Access* access,
                                                RestDoorOptions options);
  // Not from the loop.
  ~RestDoor();

  const std::string& address() const { return server_->address(); }
  int connections() const { return server_->connections(); }
  // As HttpServer::Drain. Before it, Catalog::Drain says not ready.
  void Drain(Duration grace) { server_->Drain(grace); }

 private:
  class Router;
  explicit RestDoor(std::shared_ptr<Router> router);

  const std::shared_ptr<Router> router_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace braid::serving
