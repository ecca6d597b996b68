// The frontier as text, CSV and JSON; frontier_page.cc has the page.
#include <cmath>
#include <nlohmann/json.hpp>

#include "bench/frontier.h"
#include "cli/table.h"

namespace idelta::bench {

namespace {

using Json = nlohmann::ordered_json;
using cli::format;

std::string certificate_text(double certificate) {
  return std::isfinite(certificate) ? format("%.2e", certificate) : std::string("-");
}

Json finite(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

}  // namespace

std::string to_text(const Frontier& frontier) {
  std::string text;
  for (const LayerFrontier& layer : frontier.layers) {
    text += format("error against time: forward, n %lld, m %lld, %d threads (* none is faster and errs less)\n",
                   static_cast<long long>(layer.n), static_cast<long long>(layer.m), layer.threads) +
            format("  %-15s %-11s %10s %10s %12s\n", "", "format", "us", "error", "certificate");
    const std::vector<bool> best = on_frontier(layer);
    for (size_t p = 0; p < layer.points.size(); ++p) {
      const FrontierPoint& point = layer.points[p];
      text +=
          format("%c %-15s %-11s %10.1f %10.2e %12s\n", best[p] ? '*' : ' ', point.name.c_str(), point.format.c_str(),
                 1e6 * point.seconds, point.error, certificate_text(point.certificate).c_str());
    }
    text += "\n";
  }
  for (const NetworkFrontier& network : frontier.networks) {
    text += format("labels certified against time: %lld layers, n %lld, %lld images, %d threads\n",
                   static_cast<long long>(network.layers), static_cast<long long>(network.n),
                   static_cast<long long>(network.images), network.threads) +
            format("  %-24s %10s %10s %8s\n", "", "rows/s", "certified", "differ");
    for (const NetworkFrontierPoint& point : network.points) {
      text += format("  %-24s %10.0f %8.1f %% %8lld\n", point.name.c_str(), point.rows_a_second, 100 * point.certified,
                     static_cast<long long>(point.differ));
    }
    text += "\n";
  }
  return text;
}

std::string to_csv(const Frontier& frontier) {
  std::string csv =
      "kind,name,format,isa,n,m,threads,seconds,low,high,error,certificate,rows_a_second,certified,differ\n";
  for (const LayerFrontier& layer : frontier.layers) {
    for (const FrontierPoint& point : layer.points) {
      csv += format("layer,%s,%s,%s,%lld,%lld,%d,%.6g,%.6g,%.6g,%.6g,%s,,,\n", point.name.c_str(), point.format.c_str(),
                    point.isa.c_str(), static_cast<long long>(layer.n), static_cast<long long>(layer.m), layer.threads,
                    point.seconds, point.low, point.high, point.error,
                    std::isfinite(point.certificate) ? format("%.6g", point.certificate).c_str() : "");
    }
  }
  for (const NetworkFrontier& network : frontier.networks) {
    for (const NetworkFrontierPoint& point : network.points) {
      csv += format("network,%s,,,%lld,%lld,%d,,,,,,%.6g,%.6g,%lld\n", point.name.c_str(),
                    static_cast<long long>(network.n), static_cast<long long>(network.images), network.threads,
                    point.rows_a_second, point.certified, static_cast<long long>(point.differ));
    }
  }
  return csv;
}

std::string to_json(const Frontier& frontier) {
  Json document = {{"machine", frontier.machine}, {"layers", Json::array()}, {"networks", Json::array()}};
  for (const LayerFrontier& layer : frontier.layers) {
    Json points = Json::array();
    const std::vector<bool> best = on_frontier(layer);
    for (size_t p = 0; p < layer.points.size(); ++p) {
      const FrontierPoint& point = layer.points[p];
      points.push_back({{"name", point.name},
                        {"format", point.format},
                        {"isa", point.isa},
                        {"seconds", point.seconds},
                        {"low", point.low},
                        {"high", point.high},
                        {"error", finite(point.error)},
                        {"certificate", finite(point.certificate)},
                        {"on_frontier", bool(best[p])}});
    }
    document["layers"].push_back(
        {{"n", layer.n}, {"m", layer.m}, {"threads", layer.threads}, {"points", std::move(points)}});
  }
  for (const NetworkFrontier& network : frontier.networks) {
    Json points = Json::array();
    for (const NetworkFrontierPoint& point : network.points) {
      points.push_back({{"name", point.name},
                        {"rows_a_second", point.rows_a_second},
                        {"certified_share", point.certified},
                        {"labels_that_differ", point.differ}});
    }
    document["networks"].push_back({{"layers", network.layers},
                                    {"n", network.n},
                                    {"images", network.images},
                                    {"threads", network.threads},
                                    {"points", std::move(points)}});
  }
  return document.dump(2) + "\n";
}

}  // namespace idelta::bench
