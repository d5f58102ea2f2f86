// The head of an HTTP response as text. Layer: serving.
#pragma once

#include <string>

#include "braid/serving/http_message.h"

namespace braid::serving {

// "HTTP/1.1 200 OK" and the rest up to the empty line.
std::string HttpHead(const HttpResponse& response, bool keep_alive);

}  // namespace braid::serving
