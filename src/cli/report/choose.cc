#include "choose.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <numeric>

#include "cli/table.h"
#include "cli/verbs.h"

namespace idelta::cli::report {
namespace {

constexpr size_t kPicked = 10;

std::vector<Chosen> of_each_class(const nn::Dataset& data, const std::vector<std::string>& class_names) {
  std::vector<Chosen> chosen;
  for (int64_t c = 0; c < data.classes; ++c) {
    const auto found = std::find(data.labels.begin(), data.labels.end(), static_cast<uint8_t>(c));
    if (found != data.labels.end()) {
      chosen.push_back({found - data.labels.begin(), "first " + class_names[static_cast<size_t>(c)]});
    }
  }
  return chosen;
}

using ReadOuts = std::vector<nn::ReadOut>;

// The `count` images that come first in an order, ties by their index; only those that `wanted` says.
std::vector<Chosen> first_in(const ReadOuts& read_outs, size_t count, const std::string& why,
                             const std::function<bool(const nn::ReadOut&)>& wanted,
                             const std::function<bool(const nn::ReadOut&, const nn::ReadOut&)>& before) {
  std::vector<size_t> order;
  for (size_t i = 0; i < read_outs.size(); ++i) {
    if (wanted(read_outs[i])) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return before(read_outs[a], read_outs[b]); });
  std::vector<Chosen> chosen;
  for (size_t i = 0; i < std::min(count, order.size()); ++i) chosen.push_back({int64_t(order[i]), why});
  return chosen;
}

std::vector<Chosen> pick_of(const std::string& how, const ReadOuts& read_outs, size_t count) {
  const auto any = [](const nn::ReadOut&) { return true; };
  if (how == "misclassified") {
    return first_in(
        read_outs, count, "misclassified, surest", [](const nn::ReadOut& r) { return r.predictions.back() != r.label; },
        [](const nn::ReadOut& a, const nn::ReadOut& b) { return a.final_likelihood > b.final_likelihood; });
  }
  if (how == "latest") {
    return first_in(read_outs, count, "decided latest", any, [](const nn::ReadOut& a, const nn::ReadOut& b) {
      return a.first_final_layer > b.first_final_layer;
    });
  }
  return first_in(read_outs, count, "least certain", any,
                  [](const nn::ReadOut& a, const nn::ReadOut& b) { return a.final_margin < b.final_margin; });
}

}  // namespace

std::vector<Chosen> parse_images(const std::string& list, int64_t count) {
  std::vector<Chosen> chosen;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const std::string item = list.substr(begin, end - begin);
    int64_t index = -1;
    const auto [stop, error] = std::from_chars(item.data(), item.data() + item.size(), index);
    if (error != std::errc() || stop != item.data() + item.size() || index < 0 || index >= count) {
      throw UsageError(
          format("--images: '%s' is not the index of a test image; use numbers from 0 to %lld, "
                 "separated by commas",
                 item.c_str(), (long long)(count - 1)));
    }
    chosen.push_back({index, "by index"});
    begin = end + 1;
  }
  return chosen;
}

std::vector<Chosen> pick(const std::string& how, const nn::Dataset& data, const ReadOuts& read_outs,
                         const std::vector<std::string>& class_names) {
  if (how == "class") return of_each_class(data, class_names);
  if (how != "mixed") {
    std::vector<Chosen> chosen = pick_of(how, read_outs, kPicked);
    if (chosen.empty()) throw UsageError("--pick " + how + ": the network names every test image right; pick others");
    return chosen;
  }
  std::vector<Chosen> chosen = of_each_class(data, class_names);
  for (const char* other : {"misclassified", "latest", "uncertain"}) {
    for (Chosen& image : pick_of(other, read_outs, 1)) {
      const bool there =
          std::any_of(chosen.begin(), chosen.end(), [&](const Chosen& c) { return c.index == image.index; });
      if (!there) chosen.push_back(std::move(image));
    }
  }
  return chosen;
}

}  // namespace idelta::cli::report
