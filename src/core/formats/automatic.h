// AUTO: of all forms of D whose error is within the tolerance the one that the cost model finds fastest. A form is a
// format, and of LOW_RANK a rank and a tail. The choice depends on the machine and the options alone.
#ifndef IDELTA_CORE_FORMATS_AUTOMATIC_H
#define IDELTA_CORE_FORMATS_AUTOMATIC_H

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "src/core/formats/format.h"

namespace idelta::core {

// All that AUTO may take but for ranks, which packing chooses.
struct Form {
  const Format* format;
  idelta_tail tail = IDELTA_TAIL_NONE;
};

// A form, and what became of it.
struct Considered {
  Form form;
  int64_t rank;  // of what was tried
  idelta_verdict verdict;
  double steps;  // predicted, of a call
  // Of what was tried; infinity where nothing was.
  double certificate = std::numeric_limits<double>::infinity();
  double certificate_backward_data = std::numeric_limits<double>::infinity();
  double error = std::numeric_limits<double>::infinity();  // packed_error()
};

class FormSearch {
 public:
  // D: n x n. options.tolerance is positive, options.rank 0. rows: of the calls to come.
  FormSearch(const idelta_context& context, int64_t n, const MatrixView& D, const PackOptions& options, int64_t rows)
      : context_(context), n_(n), D_(D), options_(options), rows_(rows) {
    options_.subspaces = &subspaces_;
  }
  FormSearch(const FormSearch&) = delete;
  FormSearch& operator=(const FormSearch&) = delete;

  enum Extent { kUntilFound, kAll };  // kAll also measures forms that are slower than what was found
  void run(Extent extent);

  struct Found {
    Form form;
    Packed packed;
    double steps;
  };
  Found* found() { return found_ ? &*found_ : nullptr; }  // null: no form is within the tolerance
  const Considered& least_error() const;                  // of all that were considered
  std::vector<Considered> fastest_first() const;

 private:
  double steps(const Form& form, int64_t rank) const {
    return form.format->steps(context_, {rows_, n_, n_}, rank, form.tail);
  }
  int64_t largest_faster_rank(const Form& form) const;
  void consider_ranks(const Form& form);
  void try_form(const Form& form, int64_t most_rank);
  void compare(Considered tried, Packed packed);

  const idelta_context& context_;
  int64_t n_;
  const MatrixView& D_;
  PackOptions options_;
  int64_t rows_;
  Subspaces subspaces_;
  std::vector<Considered> considered_;
  std::optional<Found> found_;
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_AUTOMATIC_H
