// In the template, {{<kind> <argument>}} stands for
//   text, percent, score, number, count   the document's value at a JSON pointer
//   paragraphs                            the document's list of sentences, a paragraph each
//   figure                                a chart with its table; nothing if its numbers were not measured
//   part                                  what only this file makes
//   only                                  what stands up to {{end}}, if the inputs are "pictures" or "features"
#include "page.h"

#include <cstdlib>
#include <functional>
#include <map>

#include "assets.h"
#include "cli/table.h"
#include "figures.h"
#include "gallery.h"

namespace idelta::cli::report {
namespace {

// Below the 2 MB that a page may have.
constexpr size_t kMostBytes = 1'950'000;
// Rows and columns that a matrix has in its table.
constexpr size_t kMatrixTable = 20;

using Rows = std::vector<std::vector<std::string>>;

std::string format_of(const Json& axis) { return axis.value("format", "number"); }

std::string table_of_matrix(const Json& figure) {
  const size_t count = figure["cells"].size(), stride = (count + kMatrixTable - 1) / kMatrixTable;
  std::vector<std::string> titles = {"layer"};
  Rows rows;
  for (size_t i = 0; i < count; i += stride) {
    titles.push_back(std::to_string(i + 1));
    rows.push_back({std::to_string(i + 1)});
    for (size_t j = 0; j < count; j += stride) rows.back().push_back(shown(figure["cells"][i][j], "number"));
  }
  return table(titles, rows,
               figure["title"].get<std::string>() +
                   (stride > 1 ? format("; each %zuth layer, all are in report.json", stride) : ""));
}

// All series of a figure, those of panels named after their panel.
std::vector<std::pair<std::string, const Json*>> all_series(const Json& figure) {
  std::vector<std::pair<std::string, const Json*>> all;
  if (figure.contains("panels")) {
    for (const Json& panel : figure["panels"]) {
      for (const Json& one : panel["series"]) {
        all.emplace_back(panel["title"].get<std::string>() + ", " + panel["note"].get<std::string>() + ": " +
                             one["name"].get<std::string>(),
                         &one);
      }
    }
  } else {
    for (const Json& one : figure["series"]) all.emplace_back(one["name"].get<std::string>(), &one);
  }
  return all;
}

// The features of each image, largest first.
std::string table_of_ranking(const Json& figure) {
  Rows rows;
  for (const Json& panel : figure["panels"]) {
    for (size_t i = 0; i < panel["names"].size(); ++i) {
      rows.push_back({escaped(panel["title"].get<std::string>() + ", " + panel["note"].get<std::string>()),
                      escaped(panel["names"][i].get<std::string>()), shown(panel["values"][i], "number")});
    }
  }
  return table({"image", "feature", "value"}, rows, figure["title"].get<std::string>());
}

std::string table_of(const Json& figure) {
  if (figure.contains("cells")) return table_of_matrix(figure);
  if (figure["kind"] == "ranked") return table_of_ranking(figure);
  const std::string kind = format_of(figure["y"]);
  std::vector<std::string> titles = {escaped(figure["x"]["name"].get<std::string>())};
  const auto all = all_series(figure);
  for (const auto& [name, one] : all) {
    titles.push_back(escaped(name));
    if (one->contains("low")) titles.insert(titles.end(), {"least", "most"});
  }
  Rows rows;
  for (size_t i = 0; i < figure["x"]["values"].size(); ++i) {
    rows.push_back({shown(figure["x"]["values"][i], figure["x"].value("format", "number"))});
    for (const auto& [name, one] : all) {
      rows.back().push_back(shown((*one)["values"][i], kind));
      if (!one->contains("low")) continue;
      rows.back().push_back(shown((*one)["low"][i], kind));
      rows.back().push_back(shown((*one)["high"][i], kind));
    }
  }
  return table(titles, rows, figure["title"].get<std::string>() + ": " + figure["y"]["name"].get<std::string>());
}

std::string figure_html(const Json& figures, const std::string& id) {
  if (!figures.contains(id)) return "";
  const Json& figure = figures[id];
  const std::string title = escaped(figure["title"].get<std::string>());
  const std::string caption = figure.contains("caption")
                                  ? "<p class=\"caption\">" + escaped(figure["caption"].get<std::string>()) + "</p>\n"
                                  : "";
  return "<figure class=\"chart\" data-figure=\"" + id + "\">\n<figcaption><h3>" + title +
         "</h3></figcaption>\n<div class=\"plot\" role=\"img\" aria-label=\"" +
         escaped(figure["alt"].get<std::string>()) + "\"></div>\n" + caption +
         "<div class=\"tools\"><details open><summary>show numbers</summary><div class=\"scroll\" tabindex=\"0\">" +
         table_of(figure) +
         "</div></details><button type=\"button\" class=\"save\" hidden>save SVG</button></div>\n</figure>\n";
}

// Five digits are more than a pixel of a chart shows.
Json rounded(const Json& value) {
  if (value.is_structured()) {
    Json copy = value;
    for (Json& entry : copy) entry = rounded(entry);
    return copy;
  }
  if (!value.is_number_float()) return value;
  return std::strtod(format("%.5g", value.get<double>()).c_str(), nullptr);
}

// What the scripts read. "</" would end the script element.
std::string island(const Json& document, const Decompositions& decompositions, const Json& figures,
                   size_t scrubber_rows) {
  Json rows = Json::array();
  for (size_t row = 0; row < scrubber_rows; ++row) {
    const Json& image = row_json(document, row);
    rows.push_back({{"label", image["label"]},
                    {"scores", column(image["layers"], "class_likelihood")},
                    {"step_limits", column(image["layers"], "step_largest")}});
    if (document["data"]["inputs"] == "features") {
      rows.back()["features"] = layers_of_features(document, *sheet_rows(decompositions)[row]);
    }
  }
  const Json all = {{"figures", figures},
                    {"rows", rows},
                    {"limit", document["maps"]["limit"]},
                    {"class_names", document["data"]["class_names"]},
                    {"height", document["network"]["height"]},
                    {"width", document["network"]["width"]}};
  std::string text = rounded(all).dump(-1, ' ', false, Json::error_handler_t::replace);
  for (size_t at = 0; (at = text.find("</", at)) != std::string::npos;) text.replace(at, 2, "<\\/");
  return text;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

// Sentences of the nn layer are plain text: no line ends before %, and apostrophes are curved.
std::string typeset(const std::string& text) { return replaced(replaced(text, " %", "\u00a0%"), "'", "’"); }

std::string paragraphs(const Json& sentences) {
  std::string html;
  for (const Json& sentence : sentences) html += "<p>" + escaped(typeset(sentence.get<std::string>())) + "</p>\n";
  return html;
}

std::string listing(const Json& rows) {
  std::string html = "<dl class=\"listing\">\n";
  for (const auto& [name, value] : rows.items()) {
    html += "<div><dt>" + escaped(name) + "</dt><dd>" +
            escaped(value.is_string() ? value.get<std::string>() : value.dump()) + "</dd></div>\n";
  }
  return html + "</dl>\n";
}

std::string neuron_table(const Json& document) {
  Rows rows;
  for (const Json& term : document["neurons"]) {
    if (term["rank"] == 1) rows.push_back({shown(term["layer"], "count")});
    rows.back().push_back(escaped(term["name"].get<std::string>()) + " <span class=\"signed\">" +
                          shown(term["mean"], "number") + "</span>");
  }
  std::vector<std::string> titles = {"layer", "1st"};
  for (size_t rank = 2; rank < rows[0].size(); ++rank) {
    titles.push_back(std::to_string(rank) + (rank == 2 ? "nd" : rank == 3 ? "rd" : "th"));
  }
  return table(titles, rows, "Input neurons by mean |D h| into the true class’s dimension, with the mean of D h");
}

std::string time_table(const Json& document) {
  Rows rows;
  for (const Json& lap : document["made"]["time"]) {
    rows.push_back({escaped(lap["part"].get<std::string>()), shown(lap["seconds"], "number") + " s",
                    shown(lap["share"], "percent")});
  }
  return table({"part", "time", "share"}, rows, "Time of each statistic");
}

using Parts = std::map<std::string, std::function<std::string()>>;

std::string filled(std::string_view page, const Json& document, const Json& figures, const Parts& parts) {
  std::string html;
  for (size_t at = 0;;) {
    const size_t open = page.find("{{", at);
    html += page.substr(at, open - at);
    if (open == std::string_view::npos) return html;
    const size_t close = page.find("}}", open);
    const std::string token(page.substr(open + 2, close - open - 2));
    const size_t blank = token.find(' ');
    const std::string kind = token.substr(0, blank), argument = token.substr(blank + 1);
    at = close + 2;
    if (kind == "end") continue;
    if (kind == "only") {
      if (argument != document["data"]["inputs"]) at = page.find("{{end}}", close);
    } else if (kind == "figure") {
      html += figure_html(figures, argument);
    } else if (kind == "part") {
      html += parts.at(argument)();
    } else {
      const Json::json_pointer path(argument);
      if (kind == "paragraphs") {
        html += document.contains(path) ? paragraphs(document.at(path)) : "";
      } else if (kind == "text") {
        html += escaped(shown(document.at(path), "count"));
      } else {
        html += data_element(document, argument, kind);
      }
    }
  }
}

// The page whose scrubber offers the first `rows` rows of the sheet.
std::string page_of(const Json& document, const Decompositions& decompositions, size_t rows) {
  Json figures_of_page = figures(document);
  if (document["data"]["inputs"] == "features") add_feature_figures(document, decompositions, figures_of_page);
  const size_t all = sheet_rows(decompositions).size();
  const Parts parts = {
      {"style", [] { return std::string(kStyle); }},
      {"sprites",
       [&] {
         return document["data"]["inputs"] == "pictures" ? sprite_styles(document, decompositions) : std::string();
       }},
      {"sheet", [&] { return sheet(document); }},
      {"class-maps", [&] { return class_map_sheet(document); }},
      {"image-options", [&] { return image_options(document, rows); }},
      {"scrubber-note",
       [&] {
         return rows < all ? format("The first %zu of %zu rows, so that this file stays below 2 MB.", rows, all)
                           : std::string();
       }},
      {"steps", [&] { return step_sprite(document, decompositions, rows); }},
      {"neurons", [&] { return neuron_table(document); }},
      {"settings", [&] { return listing(document["made"]["settings"]); }},
      {"time", [&] { return time_table(document); }},
      {"files", [&] { return listing(document["made"]["files"]); }},
      {"island", [&] { return island(document, decompositions, figures_of_page, rows); }},
      {"no-charts",
       [] {
         return std::string(kD3.empty() ? "<p>This build found no d3 (Debian: node-d3), so there are no charts here; "
                                          "every table is.</p>"
                                        : "");
       }},
      {"scripts", [] {
         return "<script>" + std::string(kD3) + "</script>\n<script>" + std::string(kCharts) + "</script>\n<script>" +
                std::string(kMaps) + "</script>\n";
       }}};
  return filled(kPage, document, figures_of_page, parts);
}

}  // namespace

std::string page(const Json& document, const Decompositions& decompositions) {
  size_t rows = sheet_rows(decompositions).size();
  std::string html = page_of(document, decompositions, rows);
  for (; html.size() > kMostBytes && rows > 1; html = page_of(document, decompositions, rows)) rows = rows * 3 / 4;
  return html;
}

}  // namespace idelta::cli::report
