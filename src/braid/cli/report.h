// What sub-commands print: one JSON document, or lines for people. Layer: cli.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace braid::cli {

// Keeps keys in the order in which they were set.
using Json = nlohmann::ordered_json;

// Writes `document` to stdout. Bytes that are no UTF-8 (a path, say) are replaced, not thrown on.
void PrintJson(const Json& document);

// Columns padded to their widest cell, two spaces apart; the first row is the heading. Cells of
// columns listed in `right` are aligned to the right.
void PrintTable(const std::vector<std::vector<std::string>>& rows,
                const std::vector<size_t>& right);

}  // namespace braid::cli
