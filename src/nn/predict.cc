// Labels of a set: by the dense network, by one form alone, or by one form after the other until each is certified.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <numeric>

#include "check_data.h"
#include "error.h"
#include "finite.h"
#include "guarantee.h"
#include "idelta/nn.hpp"
#include "loss.h"

namespace idelta::nn {
namespace {

// Some rows of a set on their way through the layers of one form, or of the network itself.
class Walk {
 public:
  Walk(const Network& network, const float* images, int64_t batch)
      : network_(network),
        images_(images),
        h_(static_cast<size_t>(batch * network.n())),
        errors_(static_cast<size_t>(batch)),
        norms_(static_cast<size_t>(batch)) {}

  // Leaves h^L of the images. form: kDense or an index into the network's forms.
  void run(std::span<const int64_t> images, int64_t form, Guarantee* guarantee) {
    const int64_t n = network_.n(), rows = static_cast<int64_t>(images.size()), pixels = network_.options().pixels();
    for (int64_t i = 0; i < rows; ++i) {
      network_.pad({images_ + images[i] * pixels, static_cast<size_t>(pixels)}, 1, h_.data() + i * n);
    }
    if (guarantee) guarantee->start(rows);
    for (int64_t l = 0; l < network_.layers(); ++l) {
      const Delta* const cheaper = form == kDense ? nullptr : network_.forms()->packed(static_cast<size_t>(form), l);
      (cheaper ? *cheaper : network_.packed(l))
          .forward({.m = rows,
                    .x = h_.data(),
                    .ldx = n,
                    .bias = network_.bias(l).data(),
                    .activation = network_.activation(l),
                    .y = h_.data(),
                    .ldy = n,
                    .row_error = guarantee ? errors_.data() : nullptr,
                    .row_norm = guarantee ? norms_.data() : nullptr});
      if (guarantee) guarantee->after(l, errors_, norms_);
    }
  }

  const float* logits(int64_t row) const { return h_.data() + row * network_.n() + network_.options().pixels(); }

 private:
  const Network& network_;
  const float* images_;
  std::vector<float> h_, errors_, norms_;
};

void check_options(const Network& network, const PredictOptions& options) {
  const auto forms = static_cast<int64_t>(network.forms() ? network.forms()->count() : 0);
  if (options.batch < 1) fail("predict: batch is ", options.batch, "; give 1 or more");
  if (!options.guarantee && options.form != kDense && forms == 0) {
    fail("predict: form is ", options.form, ", but the network has no forms; compress it first, or give kDense");
  }
  if (!options.guarantee && (options.form < kDense || options.form >= forms)) {
    fail("predict: form is ", options.form, ", but the network has ", forms, " forms; give 0 to ", forms - 1,
         ", or kDense for the dense network");
  }
  if (options.guarantee && forms == 0) {
    fail(
        "predict: labels with a guarantee need cheaper forms of the network, which it does not have; compress it "
        "first");
  }
  if (!network.has_dense() && (options.guarantee || options.form == kDense)) {
    fail("predict: the network has dropped D, and labels of the dense network need it; give the dense model");
  }
  if (options.guarantee && network.compute() != IDELTA_FORMAT_F32) {
    fail("predict: labels with a guarantee are those of the network in f32, but it computes in ",
         idelta_format_name(network.compute()), "; set_compute(IDELTA_FORMAT_F32) first");
  }
}

// Images, rows x P, and what to call one in an error.
struct Rows {
  int64_t count;
  const float* images;
  std::function<std::string(int64_t)> name;
};

// The label of the network itself.
uint8_t label_of(const Network& network, const Rows& rows, int64_t image, const float* logits) {
  const std::span<const float> values(logits, static_cast<size_t>(network.options().classes));
  const auto pixels = static_cast<size_t>(network.options().pixels());
  if (!all_finite(values)) {
    fail_not_finite("predict", network, {rows.images + static_cast<size_t>(image) * pixels, pixels}, rows.name(image));
  }
  return static_cast<uint8_t>(argmax(values));
}

// Every image, `batch` at a time: see(image, row) after each pass.
template <class See>
void walk(Walk& rows, std::span<const int64_t> images, int64_t batch, int64_t form, Guarantee* guarantee,
          const See& see) {
  for (size_t first = 0; first < images.size(); first += static_cast<size_t>(batch)) {
    const auto part = images.subspan(first, std::min(static_cast<size_t>(batch), images.size() - first));
    rows.run(part, form, guarantee);
    for (size_t i = 0; i < part.size(); ++i) see(part[i], static_cast<int64_t>(i));
  }
}

std::vector<int64_t> all_of(const Rows& rows) {
  std::vector<int64_t> images(static_cast<size_t>(rows.count));
  std::iota(images.begin(), images.end(), 0);
  return images;
}

void predict_with_one(const Network& network, const Rows& rows, const PredictOptions& options,
                      Predictions& predictions) {
  Walk pass(network, rows.images, std::min(options.batch, rows.count));
  walk(pass, all_of(rows), options.batch, options.form, nullptr, [&](int64_t image, int64_t row) {
    predictions.labels[image] = label_of(network, rows, image, pass.logits(row));
  });
}

// The fastest later form whose bound is likely below the margin; the dense network, if there is none.
size_t next_form(const std::vector<Guarantee>& forms, size_t now, const FormLabel& found) {
  for (size_t f = now + 1; f < forms.size(); ++f) {
    if (found.bound * forms[f].looseness() < found.margin * forms[now].looseness()) return f;
  }
  return forms.size();
}

void predict_with_guarantee(const Network& network, const Rows& rows, const PredictOptions& options,
                            Predictions& predictions) {
  const std::vector<size_t>& forms = network.forms()->fastest_first();
  std::vector<Guarantee> guarantees = {Guarantee(network, forms.front())};
  for (size_t i = 1; i < forms.size(); ++i) guarantees.emplace_back(network, forms[i], guarantees.front());
  std::vector<std::vector<int64_t>> waiting(forms.size() + 1);
  waiting[0] = all_of(rows);
  Walk pass(network, rows.images, std::min(options.batch, rows.count));
  for (size_t i = 0; i <= forms.size(); ++i) {
    const bool dense = i == forms.size();
    const size_t f = dense ? forms.size() : forms[i];
    predictions.tried[f] = static_cast<int64_t>(waiting[i].size());
    Guarantee* const guarantee = dense ? nullptr : &guarantees[i];
    walk(pass, waiting[i], options.batch, dense ? kDense : static_cast<int64_t>(f), guarantee,
         [&](int64_t image, int64_t row) {
           FormLabel found;
           if (guarantee) {
             found = guarantee->label(row, pass.logits(row));
             if (!found.certified()) {
               waiting[next_form(guarantees, i, found)].push_back(image);
               return;
             }
           } else {
             found.label = label_of(network, rows, image, pass.logits(row));
           }
           predictions.labels[image] = found.label;
           predictions.margins[image] = found.margin;
           predictions.bounds[image] = found.bound;
           predictions.settled_by[image] = static_cast<uint8_t>(f);
           ++predictions.settled[f];
         });
  }
}

Predictions predict_rows(const Network& network, const Rows& rows, const PredictOptions& options) {
  check_options(network, options);
  const auto count = static_cast<size_t>(rows.count);
  Predictions predictions;
  predictions.labels.resize(count);
  if (options.guarantee) {
    predictions.margins.resize(count), predictions.bounds.resize(count), predictions.settled_by.resize(count);
    for (size_t f = 0; f < network.forms()->count(); ++f) {
      predictions.forms.push_back(network.forms()->form(f).name);
    }
    predictions.forms.emplace_back("dense");
    predictions.settled.resize(predictions.forms.size()), predictions.tried.resize(predictions.forms.size());
  }
  const auto begin = std::chrono::steady_clock::now();
  options.guarantee ? predict_with_guarantee(network, rows, options, predictions)
                    : predict_with_one(network, rows, options, predictions);
  predictions.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return predictions;
}

}  // namespace

Predictions predict(const Network& network, const Dataset& data, const PredictOptions& options) {
  check_data("predict", data, network.options());
  const auto name = [&](int64_t image) { return sentence("image ", image, " of ", data.name); };
  return predict_rows(network, {data.count, data.images.data(), name}, options);
}

Predictions predict(const Network& network, int64_t rows, const float* images, const PredictOptions& options) {
  if (rows < 0) fail("predict: rows is ", rows, "; give 0 or more");
  return predict_rows(network, {rows, images, [](int64_t row) { return sentence("image ", row); }}, options);
}

}  // namespace idelta::nn
