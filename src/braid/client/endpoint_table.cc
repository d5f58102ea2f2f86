#include "braid/client/endpoint_table.h"

#include <algorithm>
#include <tuple>

namespace braid::client {

EndpointTable::EndpointTable(const ClientOptions& options) : options_(options) {
  for (const std::string& address : options.endpoints) {
    rows_.emplace_back();
    rows_.back().report.address = address;
  }
}

EndpointTable::Pick EndpointTable::Choose(const std::vector<bool>& excluded, TimePoint now) {
  int best = -1;
  const auto rank = [this, now](int endpoint) {
    const RowData& row = Row(endpoint);
    const bool up = row.report.up;
    const int busy = options_.balance == Balance::kLeastOutstanding ? row.report.outstanding : 0;
    return std::tuple(!up, up && now < row.refuses_until, up ? busy : 0, row.last_chosen);
  };
  for (int i = 0; i < static_cast<int>(rows_.size()); ++i) {
    if (excluded[static_cast<size_t>(i)]) continue;
    if (Row(i).report.outstanding >= options_.most_outstanding) continue;
    if (best < 0 || rank(i) < rank(best)) best = i;
  }
  if (best < 0) return {};
  Row(best).last_chosen = ++turn_;
  return {best, Row(best).report.up};
}

void EndpointTable::Started(int endpoint) { ++Row(endpoint).report.outstanding; }

void EndpointTable::Ended(int endpoint) { --Row(endpoint).report.outstanding; }

void EndpointTable::Answered(int endpoint, Duration latency) {
  RowData& row = Row(endpoint);
  row.report.up = true;
  row.failures = 0;
  ++row.report.answered;
  latencies_.Add(latency);
  // An eighth of the difference, as TCP smooths its round trips.
  usual_latency_ = usual_latency_ == Duration::zero()
                       ? latency
                       : usual_latency_ + (latency - usual_latency_) / 8;
}

TimePoint EndpointTable::NextProbe(RowData* row, TimePoint now) const {
  Duration back_off = options_.first_back_off;
  for (int i = 0; i < row->failures && back_off < options_.longest_back_off; ++i) back_off *= 2;
  ++row->failures;
  row->probing = true;
  return now + std::min(back_off, options_.longest_back_off);
}

std::optional<TimePoint> EndpointTable::Failed(int endpoint, const std::string& error,
                                               TimePoint now) {
  RowData& row = Row(endpoint);
  row.report.up = false;
  row.report.last_error = error;
  ++row.report.failed;
  if (row.probing) return std::nullopt;
  return NextProbe(&row, now);
}

void EndpointTable::ProbePassed(int endpoint) {
  Row(endpoint).report.up = true;
  Row(endpoint).probing = false;
}

TimePoint EndpointTable::ProbeFailed(int endpoint, const std::string& error, TimePoint now) {
  RowData& row = Row(endpoint);
  row.report.up = false;
  row.report.last_error = error;
  return NextProbe(&row, now);
}

Duration EndpointTable::SuspectAfter() const {
  return std::max(options_.attempt_timeout, 4 * usual_latency_);
}

std::vector<EndpointReport> EndpointTable::Reports() const {
  std::vector<EndpointReport> reports;
  for (const RowData& row : rows_) reports.push_back(row.report);
  return reports;
}

}  // namespace braid::client
