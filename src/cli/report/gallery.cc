#include "gallery.h"

#include <algorithm>
#include <cmath>

#include "cli/table.h"
#include "nn/sheet_columns.h"
#include "sprites.h"

namespace idelta::cli::report {
namespace {

// So large a share of |map| values lies within the sheet's scale; a single large pixel would leave all others pale.
constexpr double kWithin = 0.998;

std::span<const float> pixels_of(const Json& document, const std::vector<float>& step) {
  return std::span(step).first(document["network"]["inputs"].get<size_t>());
}

// Two digits, upwards: 1.234 -> 1.3
double rounded_up(double value) {
  if (!(value > 0)) return 0;
  const double unit = std::pow(10.0, std::floor(std::log10(value)) - 1);
  return std::ceil(value / unit - 1e-9) * unit;
}

Sprites sprites(const Json& document, size_t rows, size_t columns) {
  const Json& network = document["network"];
  return Sprites(static_cast<int64_t>(rows), static_cast<int64_t>(columns), network["height"].get<int64_t>(),
                 network["width"].get<int64_t>());
}

std::string map_sprite(const Json& document, const Decompositions& decompositions, bool own) {
  const std::vector<const nn::ImageDecomposition*> rows = sheet_rows(decompositions);
  const Json& maps = document["maps"];
  Sprites sheet = sprites(document, rows.size(), maps["columns"].size());
  for (size_t r = 0; r < rows.size(); ++r) {
    const double limit = (own ? maps["rows"][r]["limit"] : maps["limit"]).get<double>();
    for (size_t c = 0; c < maps["columns"].size(); ++c) {
      const size_t layer = maps["columns"][c].get<size_t>() - 1;
      sheet.draw_signed(static_cast<int64_t>(r), static_cast<int64_t>(c), rows[r]->contribution_maps[layer], limit);
    }
  }
  return sheet.signed_png();
}

// The side of a cell in pixels of the page: a whole multiple of the picture's.
int64_t side(const Json& document) {
  constexpr int64_t kCell = 84;
  const int64_t longer =
      std::max(document["network"]["height"].get<int64_t>(), document["network"]["width"].get<int64_t>());
  return longer * std::max<int64_t>(1, kCell / longer);
}

std::string picture(const char* kind, size_t row, size_t column, const std::string& alt) {
  return format("<span class=\"cell %s\" role=\"img\" aria-label=\"", kind) + escaped(alt) +
         format("\" style=\"--r:%zu;--c:%zu\"></span>", row, column);
}

}  // namespace

std::vector<const nn::ImageDecomposition*> sheet_rows(const Decompositions& decompositions) {
  std::vector<const nn::ImageDecomposition*> rows;
  for (const nn::ImageDecomposition& image : decompositions.images) rows.push_back(&image);
  for (const Decompositions::Control& control : decompositions.controls) rows.push_back(&control.image);
  return rows;
}

const Json& row_json(const Json& document, size_t row) {
  const size_t images = document["images"].size();
  return row < images ? document["images"][row] : document["control_images"][row - images];
}

void add_maps(const Decompositions& decompositions, Json& document) {
  const std::vector<int64_t> columns = nn::sheet_columns(document["network"]["layers"].get<int64_t>());
  std::vector<float> sizes;
  for (const nn::ImageDecomposition& image : decompositions.images) {
    for (const int64_t layer : columns) {
      for (const float v : image.contribution_maps[static_cast<size_t>(layer - 1)]) sizes.push_back(std::fabs(v));
    }
  }
  std::sort(sizes.begin(), sizes.end());
  const double limit = rounded_up(sizes[static_cast<size_t>(kWithin * double(sizes.size() - 1))]);
  const auto beyond = sizes.end() - std::upper_bound(sizes.begin(), sizes.end(), static_cast<float>(limit));

  Json rows = Json::array();
  for (const nn::ImageDecomposition* image : sheet_rows(decompositions)) {
    double own = 0;
    for (const int64_t layer : columns) {
      own = std::max(own, largest_magnitude(image->contribution_maps[static_cast<size_t>(layer - 1)]));
    }
    rows.push_back({{"limit", own}});
  }
  document["maps"] = {
      {"limit", limit}, {"beyond", double(beyond) / double(sizes.size())}, {"columns", columns}, {"rows", rows}};
}

std::string step_sprite(const Json& document, const Decompositions& decompositions, size_t rows) {
  const std::vector<const nn::ImageDecomposition*> all = sheet_rows(decompositions);
  const size_t layers = document["network"]["layers"].get<size_t>();
  Sprites sheet = sprites(document, rows, layers);
  for (size_t r = 0; r < rows; ++r) {
    for (size_t l = 0; l < layers; ++l) {
      sheet.draw_signed(static_cast<int64_t>(r), static_cast<int64_t>(l), pixels_of(document, all[r]->steps[l]),
                        row_json(document, r)["layers"][l]["step_largest"].get<double>());
    }
  }
  return sheet.signed_png();
}

std::string sprite_styles(const Json& document, const Decompositions& decompositions) {
  const std::vector<const nn::ImageDecomposition*> rows = sheet_rows(decompositions);
  Sprites inputs = sprites(document, rows.size(), 1);
  for (size_t r = 0; r < rows.size(); ++r) inputs.draw_grey(static_cast<int64_t>(r), 0, rows[r]->image);
  Sprites class_maps = sprites(document, decompositions.class_maps.size(), 1);
  for (size_t r = 0; r < decompositions.class_maps.size(); ++r) {
    class_maps.draw_signed(static_cast<int64_t>(r), 0, decompositions.class_maps[r].map,
                           document["images"][r]["class_map_largest"].get<double>());
  }
  const int64_t height = document["network"]["height"].get<int64_t>(),
                width = document["network"]["width"].get<int64_t>();
  std::string css =
      format(":root{--side:%lldpx;--ratio:%g}\n", (long long)side(document), double(height) / double(width));
  const auto add = [&](const char* kind, const std::string& uri, size_t columns, size_t count) {
    css += format(".%s{--columns:%zu;--rows:%zu;background-image:url(", kind, columns, count) + uri + ")}\n";
  };
  const size_t columns = document["maps"]["columns"].size();
  add("inputs", inputs.grey_png(), 1, rows.size());
  add("maps", map_sprite(document, decompositions, false), columns, rows.size());
  add("sheet-box:has(#own-scale:checked) .maps", map_sprite(document, decompositions, true), columns, rows.size());
  add("class-maps", class_maps.signed_png(), 1, decompositions.class_maps.size());
  return css;
}

namespace {

// The head of a row of the sheet: the input and what it is.
std::string input_cell(size_t row, const std::string& name, const std::string& note, const std::string& limit) {
  return "<th scope=\"row\">" + picture("inputs", row, 0, "Input: " + name) + "<span>" + escaped(name) +
         "</span><span>" + escaped(note) + "</span><span class=\"own-limit\">±\u00a0" + limit + "</span></th>";
}

// A control that names the label does so by chance, and gets no mark.
std::string map_cells(const Json& document, const Json& image, size_t row, bool marks) {
  std::string html;
  const Json& columns = document["maps"]["columns"];
  for (size_t c = 0; c < columns.size(); ++c) {
    const Json& layer = image["layers"][columns[c].get<size_t>() - 1];
    const std::string name = document["data"]["class_names"][layer["prediction"].get<size_t>()].get<std::string>();
    const std::string score = shown(layer["likelihood"], "score");
    const bool right = marks && layer["prediction"] == image["label"];
    html += "<td>" + picture("maps", row, c, format("Contribution map after layer %d", columns[c].get<int>())) +
            "<span class=\"" + (right ? "right" : "wrong") + "\">" + escaped(name) + "</span><span>" + score +
            (right ? "\u00a0<b class=\"mark\" title=\"right\">✓</b>" : "") + "</span></td>";
  }
  return html;
}

}  // namespace

std::string sheet(const Json& document) {
  const Json& maps = document["maps"];
  std::string html = "<table class=\"sheet\"><thead><tr><th scope=\"col\">input</th>";
  for (const Json& layer : maps["columns"]) html += format("<th scope=\"col\">layer %d</th>", layer.get<int>());
  html += "</tr></thead><tbody>\n";
  size_t row = 0;
  for (const Json& image : document["images"]) {
    html += "<tr>" +
            input_cell(row, image["label_name"].get<std::string>(), "image " + image["index"].dump(),
                       shown(maps["rows"][row]["limit"], "number")) +
            map_cells(document, image, row, true) + "</tr>\n";
    ++row;
  }
  html += "</tbody><tbody class=\"controls\">\n";
  for (const Json& control : document["control_images"]) {
    html +=
        "<tr>" +
        input_cell(row, control["name"].get<std::string>(), "control", shown(maps["rows"][row]["limit"], "number")) +
        map_cells(document, control, row, false) + "</tr>\n";
    ++row;
  }
  return html + "</tbody></table>\n";
}

std::string class_map_sheet(const Json& document) {
  std::string html = "<ul class=\"class-map-list\">\n";
  size_t row = 0;
  for (const Json& image : document["images"]) {
    const std::string name = image["prediction_name"].get<std::string>();
    html += "<li>" + picture("class-maps", row, 0, "Class map for " + name) + "<span>" + escaped(name) +
            "</span><span>image\u00a0" + image["index"].dump() + "</span><span>±\u00a0" +
            shown(image["class_map_largest"], "number") + "</span><span>logit\u00a0" + shown(image["logit"], "number") +
            "</span></li>\n";
    ++row;
  }
  return html + "</ul>\n";
}

std::string image_options(const Json& document, size_t rows) {
  std::string html;
  const auto add = [&](size_t row, const std::string& text) {
    if (row < rows) html += format("<option value=\"%zu\">", row) + escaped(text) + "</option>\n";
  };
  const std::string one = document["data"]["inputs"] == "pictures" ? ", image " : ", row ";
  size_t row = 0;
  for (const Json& image : document["images"]) {
    add(row++, image["label_name"].get<std::string>() + one + image["index"].dump() + " (" +
                   image["why"].get<std::string>() + ")");
  }
  for (const Json& control : document["control_images"]) add(row++, "control: " + control["name"].get<std::string>());
  return html;
}

}  // namespace idelta::cli::report
