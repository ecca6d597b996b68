#include "html.h"

#include <cmath>

#include "cli/table.h"

namespace idelta::cli::report {
namespace {

constexpr const char* kMinus = "\u2212";
constexpr const char* kSpace = "\u00a0";  // that no line ends at

// A hyphen that stands for minus becomes one.
std::string with_minus(std::string digits) {
  for (size_t at = 0; (at = digits.find('-', at)) != std::string::npos;) digits.replace(at, 1, kMinus);
  return digits;
}

std::string significant(double value) {
  const double size = std::fabs(value);
  if (size == 0) return "0";
  if (size < 1e-3 || size >= 1e6) {
    // 1.2e-05 -> 1.2e-5
    std::string text = format("%.1e", value);
    const size_t exponent = text.find('e') + 2;
    while (text[exponent] == '0' && exponent + 1 < text.size()) text.erase(exponent, 1);
    if (text[exponent - 1] == '+') text.erase(exponent - 1, 1);
    return text;
  }
  if (size >= 999.5) return format("%.0f", value);
  return format("%.3g", value);
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string shown(const Json& value, std::string_view kind) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_number()) return "–";
  const double number = value.get<double>();
  if (kind == "percent") return with_minus(format("%.1f", 100 * number)) + kSpace + "%";
  if (kind == "score") return format("%.0f", 100 * number) + kSpace + "%";
  if (kind == "count") {
    std::string text = grouped(std::llround(number));
    for (size_t at = 0; (at = text.find(' ', at)) != std::string::npos;) text.replace(at, 1, kSpace);
    return with_minus(text);
  }
  return with_minus(significant(number));
}

std::string data_element(const Json& document, const std::string& path, std::string_view kind) {
  const Json& value = document.at(Json::json_pointer(path));
  return "<data value=\"" + value.dump() + "\" data-path=\"" + path + "\" data-format=\"" + std::string(kind) + "\">" +
         shown(value, kind) + "</data>";
}

std::string table(const std::vector<std::string>& titles, const std::vector<std::vector<std::string>>& rows,
                  std::string_view caption) {
  std::string html = "<table><caption>" + escaped(caption) + "</caption><thead><tr>";
  for (const std::string& title : titles) html += "<th scope=\"col\">" + title + "</th>";
  html += "</tr></thead><tbody>\n";
  for (const std::vector<std::string>& row : rows) {
    html += "<tr>";
    for (size_t c = 0; c < row.size(); ++c) {
      html += c == 0 ? "<th scope=\"row\">" + row[c] + "</th>" : "<td>" + row[c] + "</td>";
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table>";
}

std::string data_uri(std::string_view type, const std::vector<uint8_t>& bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string uri = "data:" + std::string(type) + ";base64,";
  uri.reserve(uri.size() + (bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t word = uint32_t{bytes[i]} << 16;
    if (i + 1 < bytes.size()) word |= uint32_t{bytes[i + 1]} << 8;
    if (i + 2 < bytes.size()) word |= bytes[i + 2];
    uri += kDigits[word >> 18];
    uri += kDigits[word >> 12 & 63];
    uri += i + 1 < bytes.size() ? kDigits[word >> 6 & 63] : '=';
    uri += i + 2 < bytes.size() ? kDigits[word & 63] : '=';
  }
  return uri;
}

}  // namespace idelta::cli::report
