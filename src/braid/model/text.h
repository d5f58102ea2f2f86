// Which strings a model may carry: they end up in logs, JSON and terminals. Layer: model.
#pragma once

#include <string_view>

namespace braid::model {

// Well-formed UTF-8 (no overlong forms, no surrogates) without control characters.
bool IsPlainText(std::string_view text);

// Letters, digits, '.', '_' and '-', not empty, not beginning with '.' or '-': fit for a file name
// and for a path of a URL.
bool IsModelName(std::string_view text);

}  // namespace braid::model
