// One HTTP request and its response, apart from how they travel. Layer: serving.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "braid/base/clock.h"

namespace braid::serving {

enum class HttpMethod : uint8_t { kGet, kHead, kPost, kOther };

// The few headers that the doors look at; views into the request that is being handled.
struct HttpRequest {
  HttpMethod method = HttpMethod::kOther;
  std::string_view target;  // as sent: path and query
  std::string_view authorization;
  std::string_view content_type;
  std::string_view content_encoding;
  std::optional<std::string_view> inference_header_length;
  std::string_view body;
  TimePoint arrived{};  // when its last byte was there
};

struct HttpResponse {
  int status = 200;
  std::string_view content_type = "application/json";  // a literal
  std::vector<std::pair<std::string_view, std::string>> headers;
  std::string body;
};

// A request that waits for its response. Thread-safe; dropping it without a reply closes the
// connection.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  // The first one counts. Any thread.
  virtual void Reply(HttpResponse response) = 0;
  // On the loop, before Reply: called on the loop when the client goes away before the reply.
  virtual void OnGone(std::function<void()> gone) = 0;
};

// Called on the loop; must not block. The request's views hold until it returns.
using HttpHandler =
    std::function<void(const HttpRequest& request, std::shared_ptr<HttpExchange> exchange)>;

}  // namespace braid::serving
