// The door that Prometheus scrapes: GET /metrics. Layer: serving.
#pragma once

#include <memory>

#include "braid/serving/access.h"
#include "braid/serving/http_server.h"
#include "braid/serving/metrics.h"

namespace braid::serving {

// Everything but `options` must outlive the server. Guarded as the REST door is: beyond loopback
// only with TLS and a token, or when told.
Result<std::unique_ptr<HttpServer>> OpenMetricsDoor(EventLoop* loop, const Catalog* catalog,
                                                    Access* access, HttpServerOptions http,
                                                    bool allow_any_address,
                                                    const MetricsOptions& options);

}  // namespace braid::serving
