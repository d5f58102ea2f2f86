// Figures as JSON and as a table for people. Layer: bench.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "braid/bench/rounds.h"

namespace braid::bench {

// Keeps keys in the order in which they were set.
using Json = nlohmann::ordered_json;

Json ToJson(const Spread& spread);  // {median, min, max}
void PrintJson(const Json& document);
// Columns padded to their widest cell; all but the first are aligned to the right. The first row is
// the heading.
void PrintTable(const std::vector<std::vector<std::string>>& rows);

}  // namespace braid::bench
