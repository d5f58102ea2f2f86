#include "braid/convert/graph_run.h"

#include <utility>

#include "braid/convert/node_run.h"

namespace braid::convert {

Result<OnnxTensor> RunNode(const OnnxNode& node, std::vector<const OnnxTensor*> inputs) {
  int64_t work = 0;
  Result<OnnxTensor> out = NodeRun(node, std::move(inputs), work).Run();
  if (!out.ok()) return out.status().WithContext(node.Title());
  return out;
}

Result<std::map<std::string, OnnxTensor>> RunGraph(const OnnxGraph& graph, OnnxTensor input) {
  const std::vector<int64_t>& expected = graph.input_shape;
  bool fits = expected.size() == input.shape.size() &&
              input.Elements() == static_cast<int64_t>(input.values.size());
  for (size_t d = 0; fits && d < expected.size(); ++d) {
    fits = expected[d] == -1 || expected[d] == input.shape[d];
  }
  if (!fits) {
    return InvalidArgument("an input of shape " + ShapeText(input.shape) + ", the model takes " +
                           ShapeText(expected));
  }
  std::map<std::string, OnnxTensor> values;
  values.emplace(graph.input, std::move(input));
  int64_t work = 0;
  for (const OnnxNode& node : graph.nodes) {
    std::vector<const OnnxTensor*> inputs;
    for (const std::string& name : node.inputs) {
      const OnnxTensor* tensor = nullptr;
      if (const auto constant = graph.constants.find(name); constant != graph.constants.end()) {
        tensor = &constant->second;
      } else if (const auto value = values.find(name); value != values.end()) {
        tensor = &value->second;
      } else if (!name.empty()) {
        return Unimplemented(node.Title() + ": it reads another output than the first of a node");
      }
      inputs.push_back(tensor);
    }
    Result<OnnxTensor> out = NodeRun(node, std::move(inputs), work).Run();
    if (!out.ok()) return out.status().WithContext(node.Title());
    values.emplace(node.outputs[0], std::move(*out));
  }
  return values;
}

}  // namespace braid::convert
