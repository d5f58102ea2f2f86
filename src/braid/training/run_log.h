// What a training tells while it runs: JSON lines in a file, a progress bar on a terminal. Layer:
// training.
#pragma once

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

#include "braid/base/clock.h"
#include "braid/base/status.h"
#include "braid/training/trainer.h"

namespace braid::training {

class RunLog {
 public:
  // Appends to `path`. `clock` must outlive this. INTERNAL when the file cannot be opened.
  static Result<std::unique_ptr<RunLog>> Open(const std::string& path, const Clock& clock);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  // One line, flushed, so that a killed training leaves what it said.
  void Report(const Progress& progress);
  void Event(const std::string& json_object);
  double Seconds() const;

 private:
  RunLog(std::FILE* file, const Clock& clock);

  std::FILE* file_;
  const Clock& clock_;
  TimePoint begin_;
  bool terminal_;
};

}  // namespace braid::training
