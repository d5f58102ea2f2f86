// Random faults for a simulated group: what breaks, for how long, all from one seed. Layer:
// cluster/sim, tests.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "braid/base/rng.h"
#include "braid/cluster/sim/group.h"

namespace braid::cluster::sim {

struct WeatherOptions {
  uint64_t seed = 1;
  int at_once = 2;                                      // faults that overlap at most
  Duration least_calm = std::chrono::milliseconds(20);  // between the beginnings of two faults
  Duration most_calm = std::chrono::milliseconds(250);
  Duration longest = std::chrono::milliseconds(1500);  // of one fault
};

class Weather {
 public:
  // `group` outlives this.
  Weather(Group* group, const WeatherOptions& options);

  // Begins and ends the faults that are due.
  void Blow();
  // When Blow is due next.
  TimePoint next() const;
  // Ends every fault and begins none any more.
  void Clear();

  int faults() const { return faults_; }
  // What happened, for a failing seed's log.
  const std::vector<std::string>& diary() const { return diary_; }

 private:
  struct Fault {
    std::string name;
    TimePoint until{};
    std::vector<int> devices;  // each in one fault at a time
    std::function<void()> end;
  };
  void Begin();
  bool Touched(int device) const;
  void Note(const std::string& what);

  Group* group_;
  const WeatherOptions options_;
  Rng rng_;
  TimePoint next_{};
  bool clear_ = false;
  int faults_ = 0;
  std::vector<Fault> now_;
  std::vector<std::string> diary_;
};

}  // namespace braid::cluster::sim
