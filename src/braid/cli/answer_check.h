// Whether answers of a group are those of the operating points that they name, bit for bit.
// Layer: cli.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "braid/base/status.h"
#include "braid/cli/image_stream.h"
#include "braid/cli/point_runner.h"
#include "braid/data/dataset.h"

namespace braid::cli {

class AnswerCheck {
 public:
  // Both must outlive this.
  AnswerCheck(const model::Network& network, const data::Dataset& dataset);

  // Runs the whole data set through every point now, so that Equals costs nothing later.
  Status Prepare();
  // Whether `answer` (an OK one) has exactly the logits and classes that its point gives in this
  // process. Runs the whole data set at the first answer of a point, unless Prepare did. An error
  // is one of ours.
  Result<bool> Equals(const StreamAnswer& answer);
  // How many of its images it classified right.
  int Correct(const StreamAnswer& answer) const;

 private:
  Result<const std::vector<int32_t>*> LogitsOf(const model::OperatingPoint& point);

  const data::Dataset& dataset_;
  PreparedShares shares_;
  std::map<std::string, std::vector<int32_t>> logits_;  // of all images, by point
};

}  // namespace braid::cli
