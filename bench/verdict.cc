// See verdict.h.
#include "bench/verdict.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <tuple>

#include "bench/text.h"

namespace idelta::bench {

namespace {

constexpr double kMostSpread = 0.1;
constexpr const char* kWrong = "wrong";
constexpr const char* kHeading = "pass,format,mode,threads,layer,n,m,best,ratio,low,high";

auto group_of(const VerdictRow& row) { return std::tie(row.pass, row.format, row.mode, row.threads, row.layer); }

bool is_counted(const VerdictRow& row) { return row.best != kWrong && row.spread() < kMostSpread; }

// begin to end: rows of one group.
void append_group(std::string& text, const VerdictRow* begin, const VerdictRow* end) {
  std::vector<double> ratios;
  const VerdictRow* least = nullptr;
  for (const VerdictRow* row = begin; row != end; ++row) {
    if (!is_counted(*row)) continue;
    ratios.push_back(row->ratio);
    if (least == nullptr || row->ratio < least->ratio) least = row;
  }
  const std::string layer = begin->layer == 0 ? "" : ", layer " + std::to_string(begin->layer);
  append(text, "%-17s %-7s %-5s %7d %7d/%-4d", (begin->pass + layer).c_str(), begin->format.c_str(),
         begin->mode.c_str(), begin->threads, int(ratios.size()), int(end - begin));
  if (least == nullptr) {
    text += "  no point that counts\n";
    return;
  }
  append(text, "  %14.2f  %5.2f at n %d, m %d (%s)\n", geometric_mean(ratios), least->ratio, int(least->n),
         int(least->m), least->best.c_str());
}

void append_uncounted(std::string& text, const VerdictRow& row) {
  append(text, "  %s, %s, %s, %s, n %d, m %d: ", row.pass.c_str(), row.format.c_str(), row.mode.c_str(),
         threads_text(row.threads).c_str(), int(row.n), int(row.m));
  if (row.best == kWrong) {
    text += "WRONG, see the table of its run\n";
  } else {
    append(text, "%.2f (%.2f-%.2f) of %s\n", row.ratio, row.low, row.high, row.best.c_str());
  }
}

VerdictRow row_of_line(const std::string& line, const std::string& path) {
  VerdictRow row;
  std::istringstream fields(line);
  const auto text = [&](std::string& value) { std::getline(fields, value, ','); };
  const auto number = [&](auto& value) {
    fields >> value;
    if (!fields.eof()) fields.ignore(1);
  };
  text(row.pass), text(row.format), text(row.mode);
  number(row.threads), number(row.layer), number(row.n), number(row.m);
  text(row.best);
  number(row.ratio), number(row.low), number(row.high);
  if (fields.fail() || row.n < 1 || row.m < 1) {
    throw std::runtime_error(path + " has the line '" + line + "', which is not of a verdict; remove the file");
  }
  return row;
}

}  // namespace

std::vector<VerdictRow> verdict_rows(const std::vector<PointResult>& points, bool cold) {
  std::vector<VerdictRow> rows;
  for (const PointResult& point : points) {
    for (const ImplementationResult& ours : point.implementations) {
      const ImplementationResult* best = ours.name == "idelta" ? best_rival(point, ours) : nullptr;
      if (best == nullptr) continue;
      const Problem& problem = point.problem;
      VerdictRow row{.pass = problem.pass.name(),
                     .format = ours.format,
                     .mode = cold ? "cold" : "warm",
                     .threads = problem.threads,
                     .layer = problem.layer,
                     .n = problem.n,
                     .m = problem.m,
                     .best = kWrong};
      if (ours.failure.empty()) {
        const Quartiles ratio = quartiles(ratios(best->seconds, ours.seconds));
        row.best = best->title();
        row.ratio = ratio.median, row.low = ratio.low, row.high = ratio.high;
      }
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

std::string to_verdict(const std::vector<VerdictRow>& rows) {
  if (rows.empty()) return "";
  std::vector<VerdictRow> sorted = rows;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const VerdictRow& a, const VerdictRow& b) { return group_of(a) < group_of(b); });
  std::string text = "\nVerdict: idelta's speed over the best rival's of each point\n";
  append(text, "%-17s %-7s %-5s %7s %12s  %14s  least\n", "pass", "format", "mode", "threads", "points",
         "geometric mean");
  std::string uncounted;
  const VerdictRow* const end = sorted.data() + sorted.size();
  for (const VerdictRow* begin = sorted.data(); begin != end;) {
    const VerdictRow* last = begin;
    for (; last != end && group_of(*last) == group_of(*begin); ++last) {
      if (!is_counted(*last)) append_uncounted(uncounted, *last);
    }
    append_group(text, begin, last);
    begin = last;
  }
  text += "points: those whose rounds' ratios spread (between their quartiles) by less than 10 %, of all.\n";
  if (!uncounted.empty()) text += "Not counted, because they spread by 10 % or more, or are wrong:\n" + uncounted;
  return text;
}

std::string to_csv(const std::vector<VerdictRow>& rows) {
  std::ostringstream text;
  text << kHeading << '\n';
  for (const VerdictRow& row : rows) {
    text << row.pass << ',' << row.format << ',' << row.mode << ',' << row.threads << ',' << row.layer << ',' << row.n
         << ',' << row.m << ',' << row.best << ',' << row.ratio << ',' << row.low << ',' << row.high << '\n';
  }
  return text.str();
}

std::vector<VerdictRow> read_rows(const std::string& folder) {
  std::vector<std::string> paths;
  if (std::filesystem::is_directory(folder)) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string name = entry.path().filename();
      if (name.rfind("points", 0) == 0 && entry.path().extension() == ".csv") paths.push_back(entry.path());
    }
  }
  if (paths.empty()) throw std::runtime_error(folder + " has no points*.csv; give the --out of runs that are done");
  std::sort(paths.begin(), paths.end());
  std::vector<VerdictRow> rows;
  for (const std::string& path : paths) {
    std::ifstream file(path);
    std::string line;
    if (!std::getline(file, line) || line != kHeading) throw std::runtime_error(path + " is no list of points");
    while (std::getline(file, line)) rows.push_back(row_of_line(line, path));
  }
  return rows;
}

}  // namespace idelta::bench
