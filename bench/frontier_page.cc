// The frontier as a page in the style of the program's report, whose style sheet and tables it takes. Charts are drawn
// here, so that the page needs no scripts; the tables below them have every number.
#include <algorithm>
#include <cmath>

#include "bench/frontier.h"
#include "cli/report/assets.h"
#include "cli/report/html.h"
#include "cli/table.h"

namespace idelta::bench {

namespace {

namespace report = idelta::cli::report;
using cli::format;

constexpr double kWidth = 880, kHeight = 480, kLeft = 64, kRight = 860, kTop = 32, kBottom = 430;

// Logarithms, from the power of ten below the least to that above the most, or a little beyond both; or 0 to 1.
class Axis {
 public:
  static Axis powers(double least, double most, double from, double to) {
    return {std::floor(std::log10(least)), std::ceil(std::log10(most * 1.0001)), from, to, true};
  }
  static Axis logarithmic(double least, double most, double from, double to) {
    return {std::log10(least / 1.25), std::log10(most * 1.25), from, to, true};
  }
  static Axis share(double from, double to) { return {0, 1, from, to, false}; }

  double operator()(double value) const {
    const double at = logarithmic_ ? std::log10(value) : value;
    return from_ + (at - low_) / (high_ - low_) * (to_ - from_);
  }
  // Where there are ticks, and what they say.
  std::vector<std::pair<double, std::string>> ticks() const {
    std::vector<std::pair<double, std::string>> all;
    if (!logarithmic_) {
      for (int i = 0; i <= 4; ++i) all.emplace_back(i / 4.0, format("%d %%", 25 * i));
      return all;
    }
    const bool few = high_ - low_ < 3;  // powers of ten: 2 and 5 times them are ticks, too
    for (double power = std::floor(low_); power <= high_; ++power) {
      for (const double step : {1.0, 2.0, 5.0}) {
        const double at = power + std::log10(step), value = std::pow(10.0, at);
        if (at < low_ || at > high_ || (step > 1 && !few)) continue;
        all.emplace_back(value, report::shown(value, "number"));
      }
    }
    return all;
  }

 private:
  Axis(double low, double high, double from, double to, bool logarithmic)
      : low_(low), high_(high), from_(from), to_(to), logarithmic_(logarithmic) {}
  double low_, high_, from_, to_;
  bool logarithmic_;
};

std::string axes(const Axis& x, const std::string& x_name, const Axis& y, const std::string& y_name) {
  std::string svg;
  for (const auto& [value, text] : y.ticks()) {
    svg += format("<line class=\"grid\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>", kLeft, kRight, y(value),
                  y(value)) +
           format("<g class=\"tick\"><text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%s</text></g>", kLeft - 8,
                  y(value) + 4, text.c_str());
  }
  for (const auto& [value, text] : x.ticks()) {
    svg += format("<g class=\"tick\"><text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">%s</text></g>", x(value),
                  kBottom + 18, text.c_str());
  }
  return svg + format("<text class=\"axis-name\" x=\"0\" y=\"13\">%s</text>", y_name.c_str()) +
         format("<text class=\"axis-name\" x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">%s</text>", kRight, kBottom + 40,
                x_name.c_str());
}

std::string dot(double x, double y, bool ours, const std::string& title) {
  return format("<circle class=\"dot %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>", ours ? "network" : "peer", x, y) +
         report::escaped(title) + "</title></circle>";
}

std::string label(double x, double y, bool ours, const std::string& text) {
  return format("<text class=\"name %s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", ours ? "network" : "peer",
                ours ? x + 7 : x - 7, y + 4, ours ? "start" : "end") +
         report::escaped(text) + "</text>";
}

std::string figure(const std::string& title, const std::string& alt, const std::string& svg, const std::string& caption,
                   const std::string& table) {
  return "<figure class=\"chart\"><figcaption><h3>" + report::escaped(title) +
         "</h3></figcaption><div class=\"plot\" role=\"img\" aria-label=\"" + report::escaped(alt) +
         format("\"><svg viewBox=\"0 0 %.0f %.0f\" aria-hidden=\"true\">", kWidth, kHeight) + svg +
         "</svg></div><p class=\"caption\">" + report::escaped(caption) + "</p><div class=\"scroll\" tabindex=\"0\">" +
         table + "</div></figure>\n";
}

// Names stand beside the points that none beats; the others say theirs to the pointer.
std::string of_layer(const LayerFrontier& layer) {
  double least = 1, most = 1e-12;
  for (const FrontierPoint& point : layer.points) {
    if (point.error > 0) least = std::min(least, point.error), most = std::max(most, point.error);
    if (std::isfinite(point.certificate)) most = std::max(most, point.certificate);
  }
  const Axis x =
      Axis::logarithmic(1e6 * layer.points.front().seconds, 1e6 * layer.points.back().seconds, kLeft, kRight);
  const Axis y = Axis::powers(least, most, kBottom, kTop);
  std::string svg = axes(x, "microseconds of a call", y, "error of a row, relative to the row");
  const std::vector<bool> best = on_frontier(layer);
  std::vector<std::vector<std::string>> rows;
  for (size_t p = 0; p < layer.points.size(); ++p) {
    const FrontierPoint& point = layer.points[p];
    const std::string name = point.name + " " + point.format;
    const bool certified = std::isfinite(point.certificate);
    rows.push_back({report::escaped(name), report::escaped(point.isa), report::shown(1e6 * point.seconds, "number"),
                    report::shown(point.error, "number"), certified ? report::shown(point.certificate, "number") : "–",
                    best[p] ? "yes" : ""});
    if (!(point.error > 0)) continue;
    const double at = x(1e6 * point.seconds), measured = y(point.error);
    if (certified) {
      svg += format("<line class=\"line %s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
                    point.ours ? "network thin" : "thin", at, at, measured, y(point.certificate));
    }
    svg += dot(at, measured, point.ours,
               name + format(": %.1f us, error %.1e", 1e6 * point.seconds, point.error) +
                   (certified ? format(", certified %.1e", point.certificate) : ""));
    if (best[p]) svg += label(at, measured, point.ours, point.ours ? point.format : name);
  }
  const std::string title = format("Forward, n = %lld, m = %lld, threads: %d", static_cast<long long>(layer.n),
                                   static_cast<long long>(layer.m), layer.threads);
  return figure(title, title + ": error of every form and peer against the time of a call.", svg,
                "Green: idelta with the identity apart; grey: peers, and the same forms of W = I + D (plain). A dot is "
                "the worst row that was measured against fp64, the line above it reaches to the certificate.",
                report::table({"", "instruction set", "µs", "error", "certificate", "none beats it"}, rows,
                              "Medians of interleaved rounds; error of the worst row against fp64"));
}

std::string of_network(const NetworkFrontier& network) {
  double least = 1e12, most = 1;
  for (const NetworkFrontierPoint& point : network.points) {
    least = std::min(least, point.rows_a_second), most = std::max(most, point.rows_a_second);
  }
  const Axis x = Axis::logarithmic(least, most, kLeft, kRight), y = Axis::share(kBottom, kTop);
  std::string svg = axes(x, "rows a second", y, "labels that are proved to be the dense network's");
  std::vector<std::vector<std::string>> rows;
  for (const NetworkFrontierPoint& point : network.points) {
    const bool ours = point.name.starts_with("idelta");
    svg += dot(x(point.rows_a_second), y(point.certified), ours, point.name) +
           label(x(point.rows_a_second), y(point.certified), ours, point.name);
    rows.push_back({report::escaped(point.name), report::shown(point.rows_a_second, "count"),
                    report::shown(point.certified, "percent"), report::shown(point.differ, "count")});
  }
  const std::string title =
      format("Labels of %lld images, %lld layers, n = %lld, threads: %d", static_cast<long long>(network.images),
             static_cast<long long>(network.layers), static_cast<long long>(network.n), network.threads);
  return figure(title, title + ": share of labels certified against rows a second.", svg,
                "From pixels to labels, everything counted.",
                report::table({"", "rows a second", "certified", "labels that differ"}, rows,
                              "What each form certifies alone, and all of them with the dense network behind them"));
}

}  // namespace

std::string to_page(const Frontier& frontier) {
  std::string html =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<meta "
      "name=\"generator\" content=\"idelta_bench --frontier\">\n<link rel=\"icon\" href=\"data:,\">\n<title>"
      "Error against time</title>\n<style>\n" +
      std::string(report::kStyle) + "</style>\n</head>\n<body>\n<main>\n<header><h1>Error against time</h1></header>\n";
  for (const LayerFrontier& layer : frontier.layers) html += of_layer(layer);
  for (const NetworkFrontier& network : frontier.networks) html += of_network(network);
  return html + "<section><h2>The machine</h2><pre class=\"caption\">" + report::escaped(frontier.machine) +
         "</pre></section>\n</main>\n</body>\n</html>\n";
}

}  // namespace idelta::bench
