// Lists of whole numbers on a command line, "8,16,9". CLI11's own pass over what is missing in "8,,9".
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

namespace idelta::bench {

struct ListRule {
  CLI::Validator each;  // of an item
  char delimiter = ',';
  size_t least = 1, most = SIZE_MAX;  // items
};

template <class Number>
std::vector<Number> numbers_of(const std::string& name, const std::string& list, const ListRule& rule) {
  std::vector<Number> numbers;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(rule.delimiter, begin), list.size());
    std::string item = list.substr(begin, end - begin);
    if (item.empty())
      throw CLI::ValidationError(name, "'" + list + "' lacks a number beside a '" + rule.delimiter + "'");
    if (const std::string fault = rule.each(item); !fault.empty()) throw CLI::ValidationError(name, fault);
    const auto [stop, error] = std::from_chars(item.data(), item.data() + item.size(), numbers.emplace_back());
    if (error != std::errc() || stop != item.data() + item.size()) {
      throw CLI::ValidationError(name, "'" + item + "' is not a whole number that fits");
    }
    begin = end + 1;
  }
  if (numbers.size() < rule.least || numbers.size() > rule.most) {
    throw CLI::ValidationError(name, "'" + list + "' has " + std::to_string(numbers.size()) + " numbers; give " +
                                         std::to_string(rule.least) +
                                         (rule.most == rule.least ? "" : " to " + std::to_string(rule.most)));
  }
  return numbers;
}

// An option that takes such a list in place of `numbers`.
template <class Number>
CLI::Option* add_number_list(CLI::App& app, const std::string& name, std::vector<Number>& numbers, const ListRule& rule,
                             const std::string& what) {
  const auto take = [&numbers, name, rule](const std::string& list) { numbers = numbers_of<Number>(name, list, rule); };
  return app.add_option_function<std::string>(name, take, what);
}

}  // namespace idelta::bench
