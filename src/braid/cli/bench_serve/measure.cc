#include "braid/cli/bench_serve/measure.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace braid::cli {
namespace {

std::string NameOf(Side side) {
  switch (side) {
    case Side::kEcho:
      return "echo";
    case Side::kOnnxRuntime:
      return "onnxruntime";
    case Side::kDevice:
      return "device";
  }
  return "?";
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return Quantile(values, 0.5);
}

Json Spread(const std::vector<LoadResult>& rounds) {
  std::vector<double> rates, p50, p99;
  for (const LoadResult& round : rounds) {
    rates.push_back(round.PerSecond());
    p50.push_back(Quantile(round.answer_ms, 0.5));
    p99.push_back(Quantile(round.answer_ms, 0.99));
  }
  const auto [least, most] = std::ranges::minmax(rates);
  return {{"rps", Median(rates)},     {"rps_least", least}, {"rps_most", most},
          {"p50_ms", Median(p50)},    {"p99_ms", Median(p99)}};
}

Json Counts(const LoadResult& result) {
  const int64_t accepted = result.in_time + result.late;
  return {{"sent", result.sent},
          {"in_time", result.in_time},
          {"late", result.late},
          {"refused", result.refused},
          {"failed", result.failed},
          {"unsent", result.unsent},
          {"kept", accepted == 0 ? Json() : Json(static_cast<double>(result.in_time) /
                                                 static_cast<double>(accepted))},
          {"answered_rps", result.PerSecond()},
          {"answer_p50_ms", Quantile(result.answer_ms, 0.5)},
          {"answer_p99_ms", Quantile(result.answer_ms, 0.99)},
          {"refusal_p50_ms", Quantile(result.refusal_ms, 0.5)},
          {"refusal_p99_ms", Quantile(result.refusal_ms, 0.99)}};
}

// The device's memory while a load runs: looked at ten times a second.
class MemoryWatch {
 public:
  MemoryWatch(const std::function<int64_t()>& resident, Duration length)
      : thread_([this, &resident, length] {
          const TimePoint early = std::chrono::steady_clock::now() + length / 10;
          std::unique_lock lock(mutex_);
          while (!end_.wait_for(lock, std::chrono::milliseconds(100), [this] { return over_; })) {
            const int64_t bytes = resident();
            most_ = std::max(most_, bytes);
            if (std::chrono::steady_clock::now() <= early || early_ == 0) early_ = most_;
          }
        }) {}
  ~MemoryWatch() { Stop(); }
  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    end_.notify_all();
    if (thread_.joinable()) thread_.join();
  }
  int64_t early() const { return early_; }  // the most in the first tenth; after Stop
  int64_t most() const { return most_; }

 private:
  std::mutex mutex_;
  std::condition_variable end_;
  bool over_ = false;
  int64_t early_ = 0, most_ = 0;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace

Result<Json> MeasureDoor(const DoorBench& bench) {
  constexpr Duration kWarmup = std::chrono::milliseconds(200);
  const Duration long_deadline = std::chrono::seconds(5);
  std::vector<Side> sides = {Side::kEcho, Side::kDevice};
  if (bench.onnxruntime) sides.push_back(Side::kOnnxRuntime);
  std::map<Side, std::vector<LoadResult>> rounds;
  for (int round = 0; round < bench.rounds; ++round) {
    for (const Side side : sides) {
      BRAID_ASSIGN_OR_RETURN(const auto port,
                             bench.open(side, bench.in_flight, long_deadline, true));
      LoadOptions load;
      load.in_flight = bench.in_flight;
      load.warmup = kWarmup;
      load.measure = bench.measure;
      load.deadline = long_deadline;
      LoadResult result = RunLoad(port.get(), load);
      if (result.in_time == 0 || result.failed > 0) {
        return Internal(bench.door + ", " + NameOf(side) + ": " + std::to_string(result.failed) +
                        " of " + std::to_string(result.sent) + " requests failed");
      }
      rounds[side].push_back(std::move(result));
    }
  }
  Json report = {{"door", bench.door}, {"in_flight", bench.in_flight}};
  for (const Side side : sides) report[NameOf(side)] = Spread(rounds[side]);
  const double capacity = report["device"]["rps"].get<double>();
  report["ratio"] = capacity / report["echo"]["rps"].get<double>();
  if (bench.onnxruntime) {
    report["ratio_to_onnxruntime"] = capacity / report["onnxruntime"]["rps"].get<double>();
  }

  LoadOptions half;
  half.rate = capacity / 2;
  half.warmup = kWarmup;
  half.measure = bench.measure;
  half.deadline = long_deadline;
  {
    BRAID_ASSIGN_OR_RETURN(const auto port,
                           bench.open(Side::kDevice, bench.most_open, long_deadline, true));
    report["half_load"] = Counts(RunLoad(port.get(), half));
  }
  if (bench.overload == Duration{}) return report;

  LoadOptions over;
  over.rate = capacity * bench.overload_factor;
  over.warmup = kWarmup;
  over.measure = bench.overload;
  over.deadline = bench.deadline;
  const int64_t before = bench.device_resident_bytes();
  {
    BRAID_ASSIGN_OR_RETURN(const auto port,
                           bench.open(Side::kDevice, bench.most_open, bench.deadline, false));
    MemoryWatch memory(bench.device_resident_bytes, bench.overload);
    report["overload"] = Counts(RunLoad(port.get(), over));
    memory.Stop();
    report["overload"]["refused_by_client"] = port->refused_here();
    report["overload"]["resident_bytes_early"] = memory.early();
    report["overload"]["resident_bytes_most"] = memory.most();
  }
  BRAID_ASSIGN_OR_RETURN(const auto port, bench.open(Side::kDevice, bench.in_flight, long_deadline, true));
  LoadOptions after;
  after.in_flight = bench.in_flight;
  after.measure = std::chrono::seconds(1);
  after.deadline = long_deadline;
  const LoadResult recovered = RunLoad(port.get(), after);
  report["overload"]["rate"] = over.rate;
  report["overload"]["deadline_ms"] =
      std::chrono::duration<double, std::milli>(bench.deadline).count();
  report["overload"]["seconds"] = std::chrono::duration<double>(bench.overload).count();
  report["overload"]["resident_bytes_before"] = before;
  report["overload"]["resident_bytes_after"] = bench.device_resident_bytes();
  report["overload"]["rps_in_the_second_after"] = recovered.PerSecond();
  report["overload"]["rps_after_to_before"] = recovered.PerSecond() / capacity;
  return report;
}

}  // namespace braid::cli
