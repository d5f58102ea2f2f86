// `braid bench-worker`: one device of `braid bench cluster`; not for people. Layer: cli.
#include <memory>

#include "braid/cli/bench_cluster/worker.h"
#include "braid/cli/commands.h"

namespace braid::cli {

void AddBenchWorkerCommand(CLI::App& program, Work& work) {
  struct Arguments {
    WorkerOptions worker;
    int warmup_ms = 0, measure_ms = 0;
  };
  const auto arguments = std::make_shared<Arguments>();
  WorkerOptions& worker = arguments->worker;
  CLI::App* command = program.add_subcommand("bench-worker", "");
  command->group("");  // hidden: only `braid bench cluster` starts it
  command->add_option("--model", worker.model)->required();
  command->add_option("--name", worker.name)->required();
  command->add_option("--share", worker.share)->delimiter(',');
  command->add_option("--listen", worker.listen);
  command->add_option("--peer", worker.peer);
  command->add_option("--peers-expected", worker.peers_expected);
  command->add_option("--cpu", worker.cpu);
  command->add_option("--cpu-share", worker.cpu_share)->check(CLI::Range(1e-4, 1.0));
  command->add_option("--kernels", worker.kernels);
  command->add_option("--point", worker.point);
  command->add_option("--in-flight", worker.in_flight)->check(CLI::Range(1, 256));
  command->add_option("--images", worker.images)->check(CLI::Range(1, 1024));
  command->add_option("--warmup-ms", arguments->warmup_ms)->required();
  command->add_option("--measure-ms", arguments->measure_ms)->required();
  command->callback([arguments, &work] {
    arguments->worker.warmup = std::chrono::milliseconds(arguments->warmup_ms);
    arguments->worker.measure = std::chrono::milliseconds(arguments->measure_ms);
    work = [arguments] { return RunWorker(arguments->worker); };
  });
}

}  // namespace braid::cli
