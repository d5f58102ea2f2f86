// JSON lines and the progress bar. Layer: training.
#include "braid/training/run_log.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

namespace braid::training {
namespace {

constexpr int kBarWidth = 30;

}  // namespace

Result<std::unique_ptr<RunLog>> RunLog::Open(const std::string& path, const Clock& clock) {
  std::FILE* file = std::fopen(path.c_str(), "a");
  if (file == nullptr) return Internal(path + ": " + std::strerror(errno));
  return std::unique_ptr<RunLog>(new RunLog(file, clock));
}

RunLog::RunLog(std::FILE* file, const Clock& clock)
    : file_(file), clock_(clock), begin_(clock.Now()), terminal_(isatty(STDERR_FILENO) != 0) {}

RunLog::~RunLog() {
  std::fclose(file_);
  if (terminal_) std::fputc('\n', stderr);
}

double RunLog::Seconds() const {
  return std::chrono::duration<double>(clock_.Now() - begin_).count();
}

void RunLog::Event(const std::string& json_object) {
  std::fprintf(file_, "%s\n", json_object.c_str());
  std::fflush(file_);
}

void RunLog::Report(const Progress& progress) {
  const nlohmann::ordered_json line = {
      {"event", "progress"},   {"stage", progress.stage},
      {"step", progress.step}, {"steps", progress.steps},
      {"loss", progress.loss}, {"learning_rate", progress.learning_rate},
      {"seconds", Seconds()}};
  Event(line.dump());
  if (!terminal_) return;
  const int filled = progress.steps > 0 ? kBarWidth * progress.step / progress.steps : 0;
  std::string bar(static_cast<size_t>(filled), '#');
  bar.resize(kBarWidth, '.');
  std::fprintf(stderr, "\r[%s] %s %d/%d loss %.4f ", bar.c_str(), progress.stage.c_str(),
               progress.step, progress.steps, progress.loss);
  std::fflush(stderr);
}

}  // namespace braid::training
