#include "braid/serving/metrics_door.h"

#include <utility>

#include "braid/serving/rest_status.h"

namespace braid::serving {

Result<std::unique_ptr<HttpServer>> OpenMetricsDoor(EventLoop* loop, const Catalog* catalog,
                                                    Access* access, HttpServerOptions http,
                                                    bool allow_any_address,
                                                    const MetricsOptions& options) {
  BRAID_RETURN_IF_ERROR(CheckExposure("metrics", http.address, http.tls, !access->open(),
                                      allow_any_address));
  http.limits.body_bytes = 0;
  http.limits.connections = 64;  // a few scrapers
  return HttpServer::Open(
      loop, std::move(http),
      [catalog, access, options](const HttpRequest& request,
                                 const std::shared_ptr<HttpExchange>& exchange) {
        const std::string_view path = request.target.substr(0, request.target.find('?'));
        if (path != "/metrics") return exchange->Reply(ErrorResponse(404, "try /metrics"));
        if (request.method != HttpMethod::kGet && request.method != HttpMethod::kHead) {
          HttpResponse wrong = ErrorResponse(405, "method not allowed here");
          wrong.headers.emplace_back("Allow", "GET, HEAD");
          return exchange->Reply(std::move(wrong));
        }
        const Status allowed = access->Check(request.authorization);
        if (!allowed.ok()) return exchange->Reply(ErrorResponse(allowed));
        HttpResponse response;
        response.content_type = "text/plain; version=0.0.4; charset=utf-8";
        response.body = Metrics(*catalog, options);
        exchange->Reply(std::move(response));
      });
}

}  // namespace braid::serving
