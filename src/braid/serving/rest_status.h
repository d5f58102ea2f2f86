// Errors as REST says them: an HTTP status and {"error": "text"}. Layer: serving.
#pragma once

#include <string>
#include <string_view>

#include "braid/base/status.h"
#include "braid/serving/http_message.h"

namespace braid::serving {

// The protocol's map (docs/protocol.md, "Errors").
int HttpStatusOf(StatusCode code);

HttpResponse ErrorResponse(int http_status, std::string_view message);

// `retry_after` goes into the header of that name, in whole seconds, at least 1, for those statuses
// after which trying again makes sense (429, 503).
HttpResponse ErrorResponse(const Status& status, Duration retry_after = {});

// Appends `text` as a JSON string, quotes included. Bytes that are no UTF-8 become U+FFFD.
void AppendJsonString(std::string_view text, std::string* out);

}  // namespace braid::serving
